//! `siamese-trainer evaluate`

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use siamese_core::model::Options;
use siamese_core::output::{check_folder, note};

use super::changes::{self, Changes};
use super::{ModelAndImages, messages};
use crate::data::Shift;
use crate::evaluate::{Embedded, Evaluation};
use crate::learn::{RunFolder, history};
use crate::report::{self, Table};
use crate::statistics::{Bootstrap, OneShot};

/// Measures a model on images: EER, AUC and FNMR at fixed FMRs, with intervals and curves
#[derive(Clone, Debug, Args)]
pub struct Evaluate {
    /// The model, and the images to measure it on.
    #[command(flatten)]
    pub inputs: ModelAndImages,
    /// Write a report into this folder: curves, histograms, worst pairs and all results
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Add the training history to the report, from this run folder
    #[arg(long, value_name = "DIR", requires = "report")]
    pub run: Option<PathBuf>,
    /// Also measure N-way one-shot error: how often the nearest of N enrolled identities is the wrong one;
    /// needs folders nested as FOLDER/IDENTITY/IMAGE
    #[arg(long, value_name = "N")]
    pub one_shot: Option<usize>,
    /// Number of one-shot episodes; each has N questions
    #[arg(long, value_name = "N", default_value_t = 400, requires = "one_shot")]
    pub episodes: u32,
    /// Number of enrolled images per identity
    #[arg(long, value_name = "K", default_value_t = 1, requires = "one_shot")]
    pub shots: usize,
    /// For a list of changes: shift the first image of each pair by N pixels, in a random direction, as if
    /// the camera had moved
    #[arg(long, value_name = "N")]
    pub shift: Option<u32>,
    /// Number of bootstrap resamples for the intervals; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The random seed of the resampling, of the episodes and of the directions of shifts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Evaluate {
    /// Measures the model, and writes the report if requested. Returns the output.
    pub fn run(&self) -> anyhow::Result<String> {
        self.report.as_deref().map_or(Ok(()), check_folder)?;
        let images = self.inputs.images.collection()?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        if let Some(changes) = Changes::of(&self.inputs, &images) {
            return self.evaluate_changes(&changes, bootstrap);
        }
        ensure!(
            self.shift.is_none(),
            "--shift needs a list with a column boxes or mask: give one, or omit --shift"
        );
        let embedded = self.inputs.embed_all(&images, &Options::default())?;
        ensure!(
            self.one_shot.is_none() || embedded.gallery().listing().is_none(),
            "--one-shot needs identities, and a list of pairs names none: give a folder, or omit --one-shot"
        );
        let one_shot = self.one_shot.map(|ways| {
            let Self { shots, episodes, seed, .. } = *self;
            embedded.one_shot(OneShot { ways, shots, episodes, seed })
        });
        let one_shot = one_shot.transpose()?;
        let mut evaluation = Evaluation::of(&embedded, bootstrap)?;
        evaluation.one_shot = one_shot;
        if let Some(run) = &self.run {
            evaluation.history = history::read(run);
            let is_empty = evaluation.history.is_empty();
            ensure!(
                !is_empty || RunFolder::is_at(run),
                "{} is not a run folder: give the folder that training made, which contains run.toml and history.jsonl",
                run.display()
            );
            if is_empty {
                note(&format!(
                    "note: the run in {} has no training steps, so the report has no history",
                    run.display()
                ));
            }
        }
        finish(evaluation, &embedded, self.report.as_deref())
    }

    fn evaluate_changes(
        &self,
        changes: &Changes<'_>,
        bootstrap: Bootstrap,
    ) -> anyhow::Result<String> {
        ensure!(
            self.one_shot.is_none() && self.run.is_none(),
            "--one-shot and --run do not apply to a list of changes: omit them"
        );
        let mut model = changes::load(&self.inputs)?;
        let shift = self.shift.filter(|pixels| 0 < *pixels);
        let shift = shift.map(|pixels| Shift { pixels, seed: self.seed });
        changes.evaluate(&mut model, shift, bootstrap, self.report.as_deref())
    }
}

/// Measures with the default options, and writes the report into `folder`; `run` is the run folder of the training.
pub(super) fn report(
    embedded: &Embedded,
    folder: &Path,
    run: Option<&Path>,
) -> anyhow::Result<String> {
    let mut evaluation = Evaluation::of(embedded, Bootstrap { resamples: 1000, seed: 0 })?;
    // A model that was made without a training step has no history.
    evaluation.history = run.map(history::read).unwrap_or_default();
    finish(evaluation, embedded, Some(folder))
}

/// Prints the warnings, and writes the report if there is a `folder`. Returns the output.
fn finish(
    mut evaluation: Evaluation,
    embedded: &Embedded,
    folder: Option<&Path>,
) -> anyhow::Result<String> {
    messages::skipped(embedded);
    messages::warnings(embedded);
    messages::inverted(&evaluation);
    let mut output = Table(&evaluation).to_string();
    if let Some(folder) = folder {
        // The map is coloured by identity, and a list names no identities.
        evaluation.map = embedded.gallery().listing().is_none().then(|| embedded.map());
        evaluation.origin = messages::origin(&[embedded], evaluation.bootstrap);
        let files = report::files(&evaluation, &|image| embedded.thumbnail(image));
        output += &messages::write_report(folder, files)?;
    }
    Ok(output)
}
