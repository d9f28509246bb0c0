//! Whether a file can be a model, and what its shapes leave open.

use siamese_core::model::{Outline, Port};
use siamese_core::preprocessing::Colour;

use super::NoModel;

/// What a file's input is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) colour: Colour,
}

/// What somebody says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Height and width.
    pub size: Option<[u32; 2]>,
    /// Its channels.
    pub colour: Option<Colour>,
}

/// Finds out what the file's input is, or why it is no model's.
pub(super) fn probe(outline: &Outline, said: Said) -> Result<Input, NoModel> {
    let [input] = &outline.inputs[..] else { return Err(NoModel::Inputs(names(&outline.inputs))) };
    let [output] = &outline.outputs[..] else {
        return Err(NoModel::Outputs(names(&outline.outputs)));
    };
    if input.element != "f32" {
        return Err(NoModel::InputElement(input.element.clone()));
    }
    if output.element != "f32" {
        return Err(NoModel::OutputElement(output.element.clone()));
    }
    let shown = text(&input.shape);
    let [batch, channels, height, width] = input.shape[..] else {
        return Err(NoModel::InputRank(shown));
    };
    let is_of_images = |it: Option<u64>| matches!(it, Some(1 | 3));
    if !is_of_images(channels) && is_of_images(width) {
        return Err(NoModel::ChannelsLast(shown));
    }
    if channels.is_some() && !is_of_images(channels) {
        return Err(NoModel::Channels(shown));
    }
    if let Some(batch) = batch.filter(|it| *it != 1) {
        return Err(NoModel::Batch(batch));
    }
    if output.shape.len() != 2 {
        return Err(NoModel::OutputRank(text(&output.shape)));
    }
    let colour =
        said.colour.unwrap_or(if channels == Some(1) { Colour::Grey } else { Colour::Rgb });
    let asked = if colour == Colour::Grey { 1 } else { 3 };
    if let Some(found) = channels.filter(|it| *it != asked) {
        return Err(NoModel::Colour { found, colour: colour.to_string(), asked });
    }
    let [height, width] = size([height, width], said.size, &shown)?;
    Ok(Input { height, width, colour })
}

/// Rows and columns: those of the file where it has fixed them, which those asked for may not
/// contradict.
fn size(
    found: [Option<u64>; 2],
    asked: Option<[u32; 2]>,
    shown: &str,
) -> Result<[u32; 2], NoModel> {
    let fixed = found.map(|it| it.and_then(|it| u32::try_from(it).ok()));
    let size = match (fixed, asked) {
        ([Some(height), Some(width)], None) => return Ok([height, width]),
        (_, None) => return Err(NoModel::NoSize(shown.to_owned())),
        (_, Some(size)) => size,
    };
    if fixed.iter().zip(size).all(|(fixed, asked)| fixed.is_none_or(|it| it == asked)) {
        return Ok(size);
    }
    let text = |it: Option<u32>| it.map_or_else(|| "any".to_owned(), |it| it.to_string());
    let [height, width] = size;
    Err(NoModel::Size { found: fixed.map(text).join("x"), asked: format!("{height}x{width}") })
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(|it| it.name.clone()).collect()
}

fn text(shape: &[Option<u64>]) -> String {
    let axis = |it: &Option<u64>| it.map_or_else(|| "n".to_owned(), |it| it.to_string());
    format!("[{}]", shape.iter().map(axis).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(element: &str, shape: &[i64]) -> Port {
        let shape = shape.iter().map(|it| u64::try_from(*it).ok()).collect();
        Port { name: "x".to_owned(), element: element.to_owned(), shape }
    }

    fn outline(input: &[i64]) -> Outline {
        Outline { inputs: vec![port("f32", input)], outputs: vec![port("f32", &[-1, 8])] }
    }

    #[track_caller]
    fn found(shape: &[i64], said: Said, expected: [u32; 2], colour: Colour) {
        let [height, width] = expected;
        assert_eq!(probe(&outline(shape), said), Ok(Input { height, width, colour }));
    }

    #[track_caller]
    fn refused(outline: &Outline, said: Said, with: &str) {
        let refusal = probe(outline, said).expect_err("no model").to_string();
        assert!(refusal.contains(with), "{refusal}");
    }

    #[test]
    fn what_a_file_fixes_need_not_be_said() {
        found(&[-1, 3, 112, 96], Said::default(), [112, 96], Colour::Rgb);
        found(&[1, 1, 64, 64], Said::default(), [64, 64], Colour::Grey);
        let bgr = Said { size: Some([112, 112]), colour: Some(Colour::Bgr) };
        found(&[-1, 3, -1, -1], bgr, [112, 112], Colour::Bgr);
        found(&[-1, -1, -1, 112], bgr, [112, 112], Colour::Bgr);
    }

    #[test]
    fn what_is_no_models_is_refused_with_the_way_out() {
        let nothing = Said::default();
        let mut pair = outline(&[-1, 3, 64, 64]);
        pair.inputs.push(port("f32", &[-1, 3, 64, 64]));
        refused(&pair, nothing, "2 inputs (x, x)");
        let mut several = outline(&[-1, 3, 64, 64]);
        several.outputs.push(port("f32", &[-1, 2]));
        refused(&several, nothing, "2 outputs");
        let mut half = outline(&[-1, 3, 64, 64]);
        half.inputs[0].element = "f16".to_owned();
        refused(&half, nothing, "model.float()");
        let mut maps = outline(&[-1, 3, 64, 64]);
        maps.outputs[0].shape = vec![None, Some(512), Some(1), Some(1)];
        refused(&maps, nothing, "torch.flatten");
        refused(&outline(&[-1, 64, 64, 3]), nothing, "channels last");
        refused(&outline(&[-1, 4, 64, 64]), nothing, "neither 1 channel nor 3");
        refused(&outline(&[-1, 784]), nothing, "[n, 784]");
        refused(&outline(&[8, 3, 64, 64]), nothing, "fixed at 8");
        refused(&outline(&[-1, 3, -1, -1]), nothing, "--input 112x112");
        let other = Said { size: Some([112, 112]), colour: None };
        refused(&outline(&[-1, 3, 64, -1]), other, "64xany");
        let grey = Said { size: None, colour: Some(Colour::Grey) };
        refused(&outline(&[-1, 3, 64, 64]), grey, "--colour grey has 1");
    }
}
