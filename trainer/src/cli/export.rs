//! `siamese-trainer export`

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use super::{Chosen, megabytes};
use crate::draft;
use crate::export::{int8, on_cpu};

/// Writes a model in a smaller and faster form, if few enough verdicts on identities held out change
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// The calibrated model, and the identities to measure the change on: such as it was not trained
    /// on.
    #[command(flatten)]
    pub chosen: Chosen,
    /// What becomes of the weights
    #[arg(long, value_enum)]
    pub weights: WeightsWanted,
    /// The smaller model's file
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// The largest share of verdicts that may change for the model to be written
    #[arg(long, value_name = "X", default_value_t = 0.002, value_parser = share)]
    pub max_flipped: f64,
}

/// The forms a model can be exported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightsWanted {
    /// Linear layers of 2^20 weights or more in 8 bits: a quarter of the size
    Int8,
}

impl Export {
    /// Makes the smaller model, measures what it costs, and writes it if that is within the bound;
    /// gives what there is to say.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        let path = &self.chosen.model;
        let onnx = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        // The small form is one for the CPU, and so is measured there.
        let before = self.chosen.embed(&on_cpu())?;
        let subject = before.subject();
        let Some(threshold) = before.card().threshold else {
            bail!(
                "{} states no threshold, so no verdict can be held against another: calibrate it first",
                path.display()
            );
        };
        if let Some(warning) = subject.warning() {
            bail!("{warning}, named by --identities or --fold");
        }
        let split = subject.split().unwrap_or(self.chosen.images.choice(subject.unit));
        let smaller = int8::shrink(&onnx, &before, threshold, split, self.max_flipped)?;
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
        .filter(|it| (0.0..=1.0).contains(it))
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.002".to_owned())
}
