//! `siamese-trainer report`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use siamese_core::model::{OnnxTower, Options};

use super::SideBySide;
use super::table::Table;
use crate::data::Collection;
use crate::evaluate::{Embedded, EmbeddedError, Evaluation, Pictures, Stated};
use crate::provenance;
use crate::report;
use crate::statistics::Bootstrap;

/// Holds two towers against each other on the same pictures
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// The first tower's ONNX file
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second tower's
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// What they look at.
    #[command(flatten)]
    pub pictures: Pictures,
    /// Write a page with curves, histograms and the pairs judged differently, and the figures, into
    /// this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How often to resample the identities for the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Say everything as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Report {
    /// Measures both, and writes the report where one is asked for; gives what there is to say.
    ///
    /// # Errors
    ///
    /// If a tower, the pictures or the report's folder won't do.
    pub fn run(&self) -> anyhow::Result<String> {
        let pictures = self.pictures.collection()?;
        // Both before either is measured, which takes its time.
        let first = OnnxTower::load(&self.first, &Options::default())?;
        let second = OnnxTower::load(&self.second, &Options::default())?;
        let first = self.embed(first, &pictures, &self.first)?;
        let second = self.embed(second, &pictures, &self.second)?;
        let mut found = SideBySide::new([self.measure(&first)?, self.measure(&second)?])?;
        for skipped in &found.evaluations[0].subject.skipped {
            eprintln!("skipped {skipped}");
        }
        for warning in first.gallery().warnings() {
            eprintln!("warning: {warning}");
        }
        for (letter, it) in ["A", "B"].iter().zip(&found.evaluations) {
            if let Some(warning) = it.subject.warning() {
                eprintln!("warning: {letter}: {warning}");
            }
        }
        let mut said = Table(&found).to_string();
        if let Some(folder) = &self.report {
            found.origin = self.origin([&first, &second]);
            report::write_two(&found, &|place| first.thumbnail(place), folder).with_context(
                || format!("the report can't be written into {}", folder.display()),
            )?;
            writeln!(said, "Report: {}", folder.join("index.html").display())?;
        }
        if self.json { Ok(report::json_of_two(&found)?) } else { Ok(said) }
    }

    fn embed(
        &self,
        tower: OnnxTower,
        pictures: &Collection,
        path: &Path,
    ) -> anyhow::Result<Embedded> {
        Embedded::by(tower, pictures, self.pictures.skip_unreadable).map_err(|error| match error {
            // What is wrong with the pictures is no tower's fault.
            EmbeddedError::Data(_) => error.into(),
            _ => anyhow::Error::from(error).context(path.display().to_string()),
        })
    }

    fn measure(&self, embedded: &Embedded) -> anyhow::Result<Evaluation> {
        Ok(Evaluation::new(
            embedded.subject(),
            embedded.comparisons()?,
            &Stated::from(embedded.tower().card()),
            Bootstrap { resamples: self.resamples, seed: self.seed },
        ))
    }

    fn origin(&self, [first, second]: [&Embedded; 2]) -> Vec<(&'static str, String)> {
        let mut origin = vec![
            ("Tower A", format!("{} {}", self.first.display(), first.tower().description().digest)),
            (
                "Tower B",
                format!("{} {}", self.second.display(), second.tower().description().digest),
            ),
            ("Pictures", first.gallery().digest().to_owned()),
            ("Command", std::env::args().collect::<Vec<_>>().join(" ")),
            ("Resampling", format!("{} resamples, seed {}", self.resamples, self.seed)),
            ("Trainer", provenance::build()),
            ("Written", provenance::now()),
        ];
        for (name, it) in [("A's training", first), ("B's training", second)] {
            if let Some(provenance) = &it.tower().card().provenance {
                let text = serde_json::to_string_pretty(provenance).unwrap_or_default();
                origin.push((name, text));
            }
        }
        origin
    }
}
