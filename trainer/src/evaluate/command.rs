//! `siamese-trainer evaluate`

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use siamese_core::model::Options;

use super::{Chosen, Embedded, Evaluation, Stated, Table};
use crate::learn::history;
use crate::provenance;
use crate::report;
use crate::statistics::{Bootstrap, OneShot};

/// Measures a tower on pictures: EER, AUC, FNMR at FMR, with intervals; the curves
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
    /// Measure also how often a picture is recognised among N identities of one folder, of each of
    /// which one other picture is known; for folders nested as FOLDER/IDENTITY/PICTURE
    #[arg(long, value_name = "N")]
    pub one_shot: Option<usize>,
    /// How many such questions to draw, N at a time
    #[arg(long, value_name = "N", default_value_t = 400, requires = "one_shot")]
    pub episodes: u32,
    /// How many pictures are known of each
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
    /// A measurement with a report, and everything else as it is by default.
    pub fn report(chosen: Chosen, folder: PathBuf) -> Self {
        Self {
            chosen,
            report: Some(folder),
            run: None,
            one_shot: None,
            episodes: 400,
            shots: 1,
            resamples: 1000,
            seed: 0,
        }
    }

    /// Measures, and writes the report where one is asked for; gives what there is to say.
    pub fn run(&self) -> anyhow::Result<String> {
        let embedded = Embedded::load(&self.chosen, &Options::default())?;
        ensure!(
            self.one_shot.is_none() || embedded.gallery().listing().is_none(),
            "--one-shot needs identities, and a list of pairs has none: give a folder of them, or leave it out"
        );
        let one_shot = self.one_shot.map(|ways| {
            let Self { shots, episodes, seed, .. } = *self;
            embedded.one_shot(OneShot { ways, shots, episodes, seed })
        });
        let one_shot = one_shot.transpose()?;
        let mut evaluation = Evaluation::new(
            embedded.subject(),
            embedded.comparisons()?,
            &Stated::from(embedded.tower().card()),
            Bootstrap { resamples: self.resamples, seed: self.seed },
        );
        evaluation.one_shot = one_shot;
        if let Some(run) = &self.run {
            evaluation.history = history::read(run);
            ensure!(
                !evaluation.history.is_empty(),
                "{} holds no history.jsonl of a run: name the folder that training made",
                run.display()
            );
        }
        if self.report.is_some() {
            // A map is of who is shown, which a list does not say.
            evaluation.map = embedded.gallery().listing().is_none().then(|| embedded.map());
            evaluation.origin = self.origin(&embedded);
        }
        for skipped in &evaluation.subject.skipped {
            eprintln!("skipped {skipped}");
        }
        for warning in embedded.gallery().warnings().into_iter().chain(evaluation.subject.warning())
        {
            eprintln!("warning: {warning}");
        }
        let mut said = Table(&evaluation).to_string();
        if let Some(folder) = &self.report {
            report::write(&evaluation, &|place| embedded.thumbnail(place), folder).with_context(
                || format!("the report can't be written into {}", folder.display()),
            )?;
            writeln!(said, "Report: {}", folder.join("index.html").display())?;
        }
        Ok(said)
    }

    fn origin(&self, embedded: &Embedded) -> Vec<(&'static str, String)> {
        let card = embedded.tower().card();
        let mut origin = vec![
            ("Tower", embedded.tower().description().digest.clone()),
            ("Pictures", embedded.gallery().digest().to_owned()),
            ("Command", std::env::args().collect::<Vec<_>>().join(" ")),
            ("Resampling", format!("{} resamples, seed {}", self.resamples, self.seed)),
            ("Trainer", provenance::build()),
            ("Written", provenance::now()),
        ];
        if let Some(provenance) = &card.provenance {
            let text = serde_json::to_string_pretty(provenance).unwrap_or_default();
            origin.push(("The tower's training", text));
        }
        origin
    }
}
