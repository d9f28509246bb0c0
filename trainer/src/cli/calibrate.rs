//! `siamese-trainer calibrate`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use siamese_core::model::{Options, rewrite};

use super::{Chosen, Images, Statements, told};
use crate::draft;
use crate::evaluate::{CalibrateError, Calibrated, Embedded, Wanted, calibrate};
use crate::report::UnseenLines;
use crate::statistics::Bootstrap;

/// Writes threshold, operating points and probability into a model, from identities or pairs held out
#[derive(Clone, Debug, Args)]
pub struct Calibrate {
    /// What to calibrate on: identities that the model was not trained on.
    #[command(flatten)]
    pub chosen: Chosen,
    /// The calibrated model's file, which may be the same
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// Choose the threshold with at most this FMR, instead of the one with equal errors
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// How the identities relate to the training, for whoever reads the figures; known by itself
    /// for a model of this trainer
    #[arg(long, value_name = "TEXT")]
    pub split: Option<String>,
    /// What to say of the model
    #[command(flatten)]
    pub statements: Statements,
    /// How often to resample the identities for the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Calibrate {
    /// Measures all pairs, chooses the threshold and writes the model with what it now knows; gives
    /// what there is to say.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        let options = Options::default();
        let embedded = self.chosen.embed(&options)?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        let (split, images) = (self.split.as_deref(), &self.chosen.images);
        let calibrated = calibrated(&embedded, images, self.fmr, split, bootstrap)?;

        let model = &self.chosen.model;
        let onnx = fs::read(model).with_context(|| format!("{} can't be read", model.display()))?;
        let card = self.statements.on(calibrated.on(embedded.card().clone()));
        draft::model(&self.out, &rewrite(&onnx, &card.to_metadata())?, &options)?;
        Ok(said(&self.out, &calibrated))
    }
}

/// Calibrates on what was embedded, and warns of what there is to be warned of. How the images relate to the training
/// is what `split` says, or what the model knows, or how they were chosen.
pub(super) fn calibrated(
    embedded: &Embedded,
    images: &Images,
    fmr: Option<f64>,
    split: Option<&str>,
    bootstrap: Bootstrap,
) -> Result<Calibrated, CalibrateError> {
    told::warnings(embedded);
    let subject = embedded.subject();
    let guess = images.choice(subject.unit);
    let split = split.or(subject.split()).unwrap_or(guess);
    calibrate(embedded, Wanted { fmr, split, bootstrap })
}

/// What a model at `out` was calibrated to.
pub(super) fn said(
    out: &Path,
    Calibrated { point, calibration, unseen, unit }: &Calibrated,
) -> String {
    let mut said = format!(
        "{}: threshold {} with FMR {:.2} %, FNMR {:.2} %; EER {:.2} %; {} same and {} \
         different pairs of {} {} ({}, {})\n",
        out.display(),
        point.threshold.get(),
        100.0 * point.fmr,
        100.0 * point.fnmr,
        100.0 * calibration.eer(),
        calibration.same_pairs(),
        calibration.different_pairs(),
        calibration.identities(),
        unit.plural(),
        calibration.data(),
        calibration.split(),
    );
    said += &unseen.as_ref().map_or_else(
        || {
            "How far that holds for others can't be told: it takes four identities or more with two images of \
             several, or two components or more with pairs of both kinds\n"
                .to_owned()
        },
        |it| UnseenLines(it).to_string(),
    );
    said
}
