//! `siamese-trainer export`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use siamese_core::model::{OnnxModel, Source};

use super::{ModelAndImages, megabytes};
use crate::draft;
use crate::export::{int8, on_cpu};

/// The number of images that the ranges of activations are measured on. They are not those that the change is measured on,
/// if other identities are left.
const RANGE_IMAGES: usize = 200;

/// Writes a smaller and faster form of a model, if few enough verdicts on held-out identities change
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// The calibrated model, and the identities to measure the change on; the model must not be trained on them.
    #[command(flatten)]
    pub inputs: ModelAndImages,
    /// The format of the weights
    #[arg(long, value_enum)]
    pub weights: WeightFormat,
    /// The file to write the smaller model to
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// The largest share of verdicts that may change (0 to 1); above it, no model is written
    #[arg(long, value_name = "X", default_value_t = 0.002, value_parser = share)]
    pub max_flipped: f64,
}

/// The weight formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightFormat {
    /// Convolutions, and linear layers with at least 2^20 weights, in 8 bits: a quarter of the size
    Int8,
}

impl Export {
    /// Makes the smaller model, measures how many verdicts change, and writes it if that is within the limit. Returns
    /// the output.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        let path = &self.inputs.model;
        let source = Source::read(path)?;
        let onnx = source.onnx();
        // The 8-bit form is for the CPU, so it is measured there.
        let before = self.inputs.embed(&on_cpu())?;
        let subject = before.subject();
        let Some(threshold) = before.card().threshold else {
            bail!(
                "{} has no threshold, so there are no verdicts to compare: calibrate it first",
                path.display()
            );
        };
        if let Some(warning) = subject.warning() {
            bail!("{warning}; select them with --identities or --fold");
        }
        let split = subject.split().unwrap_or(before.selection());
        let model = OnnxModel::open(&source, &on_cpu())?;
        let images = self.inputs.images.some_others(&model, RANGE_IMAGES)?;
        let smaller = int8::shrink(onnx, &images, &before, threshold, split, self.max_flipped)?;
        draft::model(&self.out, &smaller.onnx, &on_cpu())?;
        Ok(format!(
            "{}: {:.1} MB instead of {:.1} MB; {}\n",
            self.out.display(),
            megabytes(smaller.onnx.len()),
            megabytes(onnx.len()),
            smaller.drift,
        ))
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "give a share from 0 to 1, such as 0.002".to_owned())
}
