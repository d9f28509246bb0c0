//! `siamese-trainer evaluate`

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use siamese_core::model::Options;

use super::{Chosen, told};
use crate::evaluate::{Embedded, Evaluation};
use crate::learn::history;
use crate::report::{self, Table};
use crate::statistics::{Bootstrap, OneShot};

/// Measures a model on images: EER, AUC, FNMR at FMR, with intervals; the curves
#[derive(Clone, Debug, Args)]
pub struct Evaluate {
    /// What to measure.
    #[command(flatten)]
    pub chosen: Chosen,
    /// Write the curves, histograms, worst pairs and figures into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Show in the report how the training went, from the run's folder
    #[arg(long, value_name = "DIR", requires = "report")]
    pub run: Option<PathBuf>,
    /// Measure also how often an image is recognised among N identities of one folder, of each of
    /// which one other image is known; for folders nested as FOLDER/IDENTITY/IMAGE
    #[arg(long, value_name = "N")]
    pub one_shot: Option<usize>,
    /// How many such questions to draw, N at a time
    #[arg(long, value_name = "N", default_value_t = 400, requires = "one_shot")]
    pub episodes: u32,
    /// How many images are known of each
    #[arg(long, value_name = "K", default_value_t = 1, requires = "one_shot")]
    pub shots: usize,
    /// How often to resample the identities for the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The seed of the resampling and of the episodes
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Evaluate {
    /// Measures, and writes the report where one is asked for; gives what there is to say.
    pub fn run(&self) -> anyhow::Result<String> {
        let embedded = self.chosen.embed(&Options::default())?;
        ensure!(
            self.one_shot.is_none() || embedded.gallery().listing().is_none(),
            "--one-shot needs identities, and a list of pairs has none: give a folder of them, or leave it out"
        );
        let one_shot = self.one_shot.map(|ways| {
            let Self { shots, episodes, seed, .. } = *self;
            embedded.one_shot(OneShot { ways, shots, episodes, seed })
        });
        let one_shot = one_shot.transpose()?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        let mut evaluation = Evaluation::of(&embedded, bootstrap)?;
        evaluation.one_shot = one_shot;
        if let Some(run) = &self.run {
            evaluation.history = history::read(run);
            ensure!(
                !evaluation.history.is_empty(),
                "{} holds no history.jsonl of a run: name the folder that training made",
                run.display()
            );
        }
        tell(evaluation, &embedded, self.report.as_deref())
    }
}

/// Measures as by default, and writes the report into `folder`; `run` is the folder of the model's training.
pub(super) fn report(
    embedded: &Embedded,
    folder: &Path,
    run: Option<&Path>,
) -> anyhow::Result<String> {
    let mut evaluation = Evaluation::of(embedded, Bootstrap { resamples: 1000, seed: 0 })?;
    // A model made without a step has no history.
    evaluation.history = run.map(history::read).unwrap_or_default();
    tell(evaluation, embedded, Some(folder))
}

/// Warns of what there is to be warned of, and writes the report where there is a `folder` for it.
fn tell(
    mut evaluation: Evaluation,
    embedded: &Embedded,
    folder: Option<&Path>,
) -> anyhow::Result<String> {
    told::skipped(embedded);
    told::warnings(embedded);
    let mut said = Table(&evaluation).to_string();
    if let Some(folder) = folder {
        // A map is of who is shown, which a list does not say.
        evaluation.map = embedded.gallery().listing().is_none().then(|| embedded.map());
        evaluation.origin = told::origin(&[embedded], evaluation.bootstrap);
        let files = report::files(&evaluation, &|place| embedded.thumbnail(place));
        said += &told::written(folder, files)?;
    }
    Ok(said)
}
