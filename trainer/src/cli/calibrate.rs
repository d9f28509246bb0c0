//! `siamese-trainer calibrate`

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use siamese_core::model::{Card, OnnxModel, Options, Source, rewrite};
use siamese_core::score::UNFAMILIAR;

use super::changes::{self, Changes};
use super::{ModelAndImages, Statements, file_stem, messages};
use crate::data::Collection;
use crate::draft;
use crate::evaluate::changes::DEFAULT_FNMR_IMAGES;
use crate::evaluate::{Calibrated, CalibrationRequest, Embedded, calibrate, measure_reduction};
use crate::export::ensure_golden;
use crate::report::UnseenLines;
use crate::statistics::Bootstrap;

/// Calibrates a model on held-out identities or pairs: writes threshold, operating points and
/// probability curve into it
#[derive(Clone, Debug, Args)]
pub struct Calibrate {
    /// The images to calibrate on: identities that the model was not trained on.
    #[command(flatten)]
    pub inputs: ModelAndImages,
    /// The file to write the calibrated model to; it may be the same file
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// Choose the threshold with at most this FMR, instead of the one where FMR and FNMR are equal
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// For a list of changes: the largest share of unchanged images with a false alarm at the threshold
    /// [default: 0.02]
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    pub fnmr_images: Option<f64>,
    /// How the identities relate to the training data; a note that is stored in the calibration. A model
    /// of this trainer knows it already
    #[arg(long, value_name = "TEXT")]
    pub split: Option<String>,
    /// The model's name; a model that is named after its file is named after --out by default
    #[arg(long)]
    pub name: Option<String>,
    /// The purpose and the limits of the model
    #[command(flatten)]
    pub statements: Statements,
    /// Number of bootstrap resamples for the intervals; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The random seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Calibrate {
    /// Measures all pairs, chooses the threshold, and writes the calibrated model. Returns the output.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        let images = self.inputs.images.collection()?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        if let Some(changes) = Changes::of(&self.inputs, &images) {
            return self.calibrate_changes(&changes, bootstrap);
        }
        ensure!(
            self.fnmr_images.is_none(),
            "--fnmr-images needs a list with a column boxes or mask: give one, or use --fmr"
        );
        let embedded = self.inputs.embed_all(&images, &Options::default())?;
        let mut model = OnnxModel::load(&self.inputs.model, &Options::default())?;
        let split = self.split.as_deref();
        let calibrated = calibrated(&embedded, &mut model, &images, self.fmr, split, bootstrap)?;
        self.write(calibrated.apply_to(embedded.card().clone()))?;
        Ok(summary(&self.out, &calibrated))
    }

    fn calibrate_changes(
        &self,
        changes: &Changes<'_>,
        bootstrap: Bootstrap,
    ) -> anyhow::Result<String> {
        ensure!(
            self.fmr.is_none(),
            "--fmr chooses the threshold of whole images: use --fnmr-images for a list of changes"
        );
        let mut model = changes::load(&self.inputs)?;
        let fnmr_images = self.fnmr_images.unwrap_or(DEFAULT_FNMR_IMAGES);
        let split = self.split.as_deref();
        let calibrated = changes.calibrate(&mut model, fnmr_images, split, bootstrap)?;
        self.write(calibrated.apply_to(model.card().clone()))?;
        Ok(changes::summary(&self.out, &calibrated))
    }

    /// Writes the model with a calibrated card, under its new name and with its sentences.
    fn write(&self, card: Card) -> anyhow::Result<()> {
        // With its external weights: the new file may be in another folder.
        let source = Source::read(&self.inputs.model)?;
        let mut card = self.statements.on(self.named(card));
        ensure_golden(source.onnx(), &mut card)?;
        let onnx = rewrite(source.onnx(), &card.to_metadata())?;
        draft::model(&self.out, &onnx, &Options::default())?;
        Ok(())
    }

    /// Writes the name on a card. The name of an intermediate file would say nothing about the model.
    fn named(&self, card: Card) -> Card {
        let is_of_file = card.name == file_stem(&self.inputs.model);
        let of_out = || is_of_file.then(|| file_stem(&self.out));
        Card { name: self.name.clone().or_else(of_out).unwrap_or(card.name), ..card }
    }
}

/// Prints the warnings about the images, calibrates on their embeddings, and measures how far JPEGs may be reduced for the
/// model.
///
/// The note about the relation to the training data is `split`, or what the model knows, or the selection of the images.
pub(super) fn calibrated(
    embedded: &Embedded,
    model: &mut OnnxModel,
    images: &Collection,
    fmr: Option<f64>,
    split: Option<&str>,
    bootstrap: Bootstrap,
) -> anyhow::Result<Calibrated> {
    messages::warnings(embedded);
    let subject = embedded.subject();
    let split = split.or(subject.split()).unwrap_or(embedded.selection());
    let calibrated = calibrate(embedded, CalibrationRequest { fmr, split, bootstrap })?;
    let reduction = measure_reduction(model, images, calibrated.point.threshold)?;
    Ok(Calibrated { reduction, ..calibrated })
}

/// Describes the calibration of the model at `out`.
pub(super) fn summary(
    out: &Path,
    Calibrated { point, calibration, unseen, familiarity, unit, reduction }: &Calibrated,
) -> String {
    let mut summary = format!(
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
    summary += &unseen.as_ref().map_or_else(
        || {
            "The errors on other data cannot be estimated: this needs at least four identities, several of them with \
             two images, or at least two components with pairs of both kinds\n"
                .to_owned()
        },
        |unseen| UnseenLines(unseen).to_string(),
    );
    let familiarity = match familiarity {
        Ok(described) => format!(
            "The model knows what these {} images look like, and the server warns of others: it says `unfamiliar` to an \
             image that is less usual than {} % of these\n",
            described.images(),
            100.0 - 100.0 * UNFAMILIAR
        ),
        Err(why) => format!("The server cannot warn of images unlike these: {why}\n"),
    };
    let reduction = reduction.map_or_else(String::new, |reduction| {
        format!("Large JPEGs may be reduced while they are decoded: {reduction}\n")
    });
    summary + &familiarity + &reduction
}
