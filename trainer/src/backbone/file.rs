//! A backbone from an ONNX file.

use std::path::Path;

use anyhow::{Context, bail};
use siamese_core::model::{
    Device, EMBEDDING, LoadError, OnnxModel, Options, Outline, Port, Source,
};
use siamese_core::output::note;
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use super::features::MAP;
use super::{Backbone, File, Map, Onnx, Output};
use crate::data::{digest_of, digest_of_file};

/// The mean and the standard deviation of a channel that most networks are trained with, as bytes: those of `ImageNet`.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];
/// The side of the input of a file that leaves it open.
const SIDE: u32 = 224;

/// Opens a file. Its output is a map, or a row of features for each image.
pub(super) fn open(path: &Path) -> anyhow::Result<Backbone> {
    if !path.is_file() {
        bail!(
            "there is no backbone {}: name the known one, lite0, or an ONNX file",
            path.display()
        );
    }
    let source = Source::read(path)?;
    let options = Options { device: Device::Cpu, ..Options::default() };
    let outline = Outline::of(&source, &options)?;
    let [input] = &outline.inputs[..] else {
        bail!("{} has {} inputs, not 1", path.display(), outline.inputs.len());
    };
    let output = match &outline.outputs[..] {
        [only] => only,
        several => several.iter().find(|it| it.name == EMBEDDING).with_context(|| {
            format!(
                "{} has {} outputs: name the one to use `{EMBEDDING}`, or export it alone",
                path.display(),
                several.len()
            )
        })?,
    };
    let (colour, height, width) = size(input).with_context(|| {
        format!(
            "the input of {} is not [n, 1 or 3, height, width] in single precision",
            path.display()
        )
    })?;
    let preprocessing = match OnnxModel::load(path, &options) {
        Ok(model) => model.card().preprocessing.clone(),
        Err(LoadError::NoCard { .. }) => usual(path, colour, [height, width]),
        Err(error) => return Err(error.into()),
    };
    let tensor = output.name.clone();
    let output = features(output).with_context(|| {
        format!(
            "the output of {} is neither [n, width] nor [n, width, rows, columns] in single precision, with a fixed width",
            path.display()
        )
    })?;
    if matches!(output, Output::Maps(_)) {
        let is_taken = |name: &str| outline.outputs.iter().any(|output| output.name == name);
        if let Some(name) = [EMBEDDING, MAP].into_iter().find(|name| is_taken(name)) {
            bail!("{} has an output named `{name}`: give it another name", path.display());
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = source.onnx().to_vec();
    // A run can be repeated in another folder.
    let absolute = std::path::absolute(path)?;
    Ok(Backbone {
        output,
        cells: None,
        preprocessing,
        multiple: 1,
        has_open_sides: matches!(input.shape[..], [.., None, None]),
        origin: serde_json::json!({"file": name, "digest": digest_of_file(path)?}),
        name: absolute.to_string_lossy().into_owned(),
        digest: digest_of(&bytes),
        file: File::Read(Onnx { bytes, tensors: vec![tensor] }),
    })
}

/// The preprocessing of a file that states none: as most networks are trained.
fn usual(path: &Path, colour: Colour, [height, width]: [u32; 2]) -> Preprocessing {
    let (mean, std) = match colour {
        Colour::Grey => (vec![0.5], vec![0.5]),
        Colour::Rgb | Colour::Bgr => (MEAN.to_vec(), STD.to_vec()),
    };
    note(&format!(
        "note: {} states no preprocessing, so bytes are scaled to 0 to 1, mean {mean:?} and std {std:?}: if it was trained \
         otherwise, describe it in a sidecar, {}",
        path.display(),
        path.with_extension("toml").display()
    ));
    Preprocessing { height, width, colour, fit: Fit::Stretch, scale: 1.0 / 255.0, mean, std }
}

fn size(input: &Port) -> Option<(Colour, u32, u32)> {
    let (colour, height, width) = match input.shape[..] {
        [_, Some(1), height, width] => (Colour::Grey, height, width),
        [_, Some(3), height, width] => (Colour::Rgb, height, width),
        _ => return None,
    };
    let side = |length: Option<u64>| length.map_or(Some(SIDE), |length| u32::try_from(length).ok());
    (input.element == "f32").then_some(())?;
    Some((colour, side(height)?, side(width)?))
}

fn features(output: &Port) -> Option<Output> {
    (output.element == "f32").then_some(())?;
    let width = |width: u64| usize::try_from(width).ok();
    match output.shape[..] {
        [_, Some(features)] => Some(Output::Row(width(features)?)),
        [_, Some(features), _, _] => Some(Output::Maps(vec![Map {
            width: width(features)?,
            fineness: 1,
            has_deviations: false,
        }])),
        _ => None,
    }
}
