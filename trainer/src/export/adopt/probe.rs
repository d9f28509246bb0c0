//! Checks that a file can be a model, and finds its input size and colour.

use siamese_core::model::{Element, Layout, Outline, Port};
use siamese_core::preprocessing::Colour;

use super::Unsuitable;

/// The input of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) colour: Colour,
    pub(super) element: Element,
}

/// The user's options for the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// The height and width in pixels.
    pub size: Option<[u32; 2]>,
    /// The channels.
    pub colour: Option<Colour>,
}

/// Returns the input of a network.
///
/// # Errors
///
/// If the network cannot be used as a model.
pub(super) fn probe(outline: &Outline, options: InputOptions) -> Result<Input, Unsuitable> {
    let [input] = &outline.inputs[..] else {
        return Err(Unsuitable::Inputs(names(&outline.inputs)));
    };
    let [output] = &outline.outputs[..] else {
        return Err(Unsuitable::Outputs(names(&outline.outputs)));
    };
    let element =
        element(outline).ok_or_else(|| Unsuitable::InputElement(input.element.clone()))?;
    if output.element.starts_with(['i', 'u', 'b']) && output.element != "bf16" {
        return Err(Unsuitable::WholeNumbers(output.element.clone()));
    }
    if output.element != "f32" {
        return Err(Unsuitable::OutputElement(output.element.clone()));
    }
    let shown = text(&input.shape);
    let [batch, first, second, third] = input.shape[..] else {
        return Err(Unsuitable::InputRank(shown));
    };
    let layout = layout([first, second, third], options)
        .ok_or_else(|| Unsuitable::Channels(shown.clone()))?;
    let [channels, height, width] = layout.image([first, second, third]);
    if let Some(batch) = batch.filter(|batch| *batch != 1) {
        return Err(Unsuitable::Batch(batch));
    }
    if output.shape.len() == 1 {
        return Err(Unsuitable::OneNumber(text(&output.shape)));
    }
    if output.shape.len() != 2 {
        return Err(Unsuitable::OutputRank(text(&output.shape)));
    }
    let colour =
        options.colour.unwrap_or(if channels == Some(1) { Colour::Grey } else { Colour::Rgb });
    let requested = if colour == Colour::Grey { 1 } else { 3 };
    if let Some(found) = channels.filter(|found| *found != requested) {
        return Err(Unsuitable::Colour { found, colour: colour.to_string(), requested });
    }
    let [height, width] = size([height, width], options.size, &shown)?;
    Ok(Input { height, width, colour, element })
}

/// Returns the type of the numbers of the first input; `None` if no model can have it.
pub(super) fn element(outline: &Outline) -> Option<Element> {
    match outline.inputs.first()?.element.as_str() {
        "f32" => Some(Element::F32),
        "u8" => Some(Element::U8),
        _ => None,
    }
}

/// Returns the layout that suits the options, or else any layout of an image, so that the options can be named as the
/// error.
fn layout(axes: [Option<u64>; 3], options: InputOptions) -> Option<Layout> {
    let is_of_images = |[channels, ..]: [Option<u64>; 3]| {
        channels.is_none_or(|channels| matches!(channels, 1 | 3))
    };
    let suits = |image: [Option<u64>; 3]| {
        let [channels, height, width] = image;
        let is = |found: Option<u64>, wanted: Option<u64>| {
            found.zip(wanted).is_none_or(|(found, wanted)| found == wanted)
        };
        let wanted = options.colour.and_then(|colour| u64::try_from(colour.channels()).ok());
        let [rows, columns] = match options.size {
            Some(size) => size.map(|side| Some(u64::from(side))),
            None => [None; 2],
        };
        is_of_images(image) && is(channels, wanted) && is(height, rows) && is(width, columns)
    };
    Layout::of(axes, suits).or_else(|| Layout::of(axes, is_of_images))
}

/// Returns height and width: those that the file fixes, or the requested ones, which may not contradict the file.
fn size(
    found: [Option<u64>; 2],
    requested: Option<[u32; 2]>,
    shown: &str,
) -> Result<[u32; 2], Unsuitable> {
    let fixed = found.map(|side| side.and_then(|side| u32::try_from(side).ok()));
    let size = match (fixed, requested) {
        ([Some(height), Some(width)], None) => return Ok([height, width]),
        (_, None) => return Err(Unsuitable::NoSize(shown.to_owned())),
        (_, Some(size)) => size,
    };
    if fixed.iter().zip(size).all(|(fixed, side)| fixed.is_none_or(|fixed| fixed == side)) {
        return Ok(size);
    }
    let text = |side: Option<u32>| side.map_or_else(|| "any".to_owned(), |side| side.to_string());
    let [height, width] = size;
    let requested = format!("{height}x{width}");
    Err(Unsuitable::Size { found: fixed.map(text).join("x"), requested })
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(|port| port.name.clone()).collect()
}

fn text(shape: &[Option<u64>]) -> String {
    let axis =
        |length: &Option<u64>| length.map_or_else(|| "n".to_owned(), |length| length.to_string());
    format!("[{}]", shape.iter().map(axis).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(element: &str, shape: &[i64]) -> Port {
        let shape = shape.iter().map(|axis| u64::try_from(*axis).ok()).collect();
        Port { name: "x".to_owned(), element: element.to_owned(), shape }
    }

    fn outline(input: &[i64]) -> Outline {
        Outline { inputs: vec![port("f32", input)], outputs: vec![port("f32", &[-1, 8])] }
    }

    #[track_caller]
    fn found(shape: &[i64], options: InputOptions, expected: [u32; 2], colour: Colour) {
        let [height, width] = expected;
        let mut outline = outline(shape);
        for (name, element) in [("f32", Element::F32), ("u8", Element::U8)] {
            outline.inputs[0].element = name.to_owned();
            let expected = Input { height, width, colour, element };
            assert_eq!(probe(&outline, options), Ok(expected));
        }
    }

    #[track_caller]
    fn rejected(outline: &Outline, options: InputOptions, words: &str) {
        let error = probe(outline, options).expect_err("an error").to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn options_are_needed_only_for_what_the_file_leaves_open() {
        found(&[-1, 3, 112, 96], InputOptions::default(), [112, 96], Colour::Rgb);
        found(&[1, 1, 64, 64], InputOptions::default(), [64, 64], Colour::Grey);
        let bgr = InputOptions { size: Some([112, 112]), colour: Some(Colour::Bgr) };
        found(&[-1, 3, -1, -1], bgr, [112, 112], Colour::Bgr);
        found(&[-1, -1, -1, 112], bgr, [112, 112], Colour::Bgr);
    }

    #[test]
    fn the_channels_may_be_last() {
        let nothing = InputOptions::default();
        found(&[-1, 112, 96, 3], nothing, [112, 96], Colour::Rgb);
        found(&[1, 64, 64, 1], nothing, [64, 64], Colour::Grey);
        let sized = |height, width| InputOptions { size: Some([height, width]), colour: None };
        found(&[-1, -1, -1, 3], sized(112, 96), [112, 96], Colour::Rgb);
        // Where both are possible, the channels are first unless the options say otherwise.
        found(&[-1, 3, 3, 3], nothing, [3, 3], Colour::Rgb);
        found(&[-1, 3, 112, 3], nothing, [112, 3], Colour::Rgb);
        found(&[-1, 3, 112, 3], sized(3, 112), [3, 112], Colour::Rgb);
        let grey = InputOptions { size: None, colour: Some(Colour::Grey) };
        found(&[-1, 3, 64, 1], grey, [3, 64], Colour::Grey);
    }

    #[test]
    fn an_unsuitable_network_is_rejected_with_advice() {
        let nothing = InputOptions::default();
        let mut pair = outline(&[-1, 3, 64, 64]);
        pair.inputs.push(port("f32", &[-1, 3, 64, 64]));
        rejected(&pair, nothing, "2 inputs (x, x)");
        let mut several = outline(&[-1, 3, 64, 64]);
        several.outputs.push(port("f32", &[-1, 2]));
        rejected(&several, nothing, "2 outputs");
        let mut half = outline(&[-1, 3, 64, 64]);
        half.inputs[0].element = "f16".to_owned();
        rejected(&half, nothing, "model.float()");
        let mut maps = outline(&[-1, 3, 64, 64]);
        maps.outputs[0].shape = vec![None, Some(512), Some(1), Some(1)];
        rejected(&maps, nothing, "torch.flatten");
        maps.outputs = vec![port("f32", &[-1])];
        rejected(&maps, nothing, "one number for each image");
        maps.outputs = vec![port("i64", &[-1, 1])];
        rejected(&maps, nothing, "whole numbers");
        maps.outputs = vec![port("f64", &[-1, 8])];
        rejected(&maps, nothing, "single precision");
        rejected(&outline(&[-1, 64, 64, 4]), nothing, "1 or 3 channels");
        rejected(&outline(&[-1, 4, 64, 64]), nothing, "1 or 3 channels");
        rejected(&outline(&[-1, 784]), nothing, "[n, 784]");
        rejected(&outline(&[8, 3, 64, 64]), nothing, "fixed at 8");
        rejected(&outline(&[-1, 3, -1, -1]), nothing, "--input 112x112");
        let other = InputOptions { size: Some([112, 112]), colour: None };
        rejected(&outline(&[-1, 3, 64, -1]), other, "64xany");
        let grey = InputOptions { size: None, colour: Some(Colour::Grey) };
        rejected(&outline(&[-1, 3, 64, 64]), grey, "--colour grey has 1");
    }
}
