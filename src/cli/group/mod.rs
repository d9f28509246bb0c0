//! The command `siamese group`.

mod false_pairs;
mod found;
mod images;
mod report;

use std::path::PathBuf;

use clap::Args;
use siamese_core::output::{self, OutputError, check_folder, create_folder};
use siamese_core::score::group;

use super::embed::stored::is_stored;
use super::images::files::files;
use super::images::{Images, progress};
use super::{Failure, ModelArgs, Outcome, criterion, json};
use crate::engine::deployment::Tuning;
use crate::ops::settings::DEFAULT_MODEL;
use crate::ops::telemetry;
use found::Found;
use images::Embedded;

#[derive(Debug, Args)]
pub(super) struct Group {
    /// Image files, or folders that are searched for files recursively; or files that `siamese embed --out` has written
    /// (.npy, .jsonl).
    #[arg(required = true, value_name = "IMAGE|FOLDER|EMBEDDINGS")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The largest distance within a group. Default: the model's threshold.
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    threshold: Option<f64>,
    /// Use the operating point with the largest threshold whose false match rate (FMR) is at most this. The FMR is that
    /// of one pair, and n images have n(n-1)/2 pairs.
    #[arg(long, value_name = "X")]
    fmr: Option<f64>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Write a page with the images of each group to this folder.
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

impl Group {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(DEFAULT_MODEL)?;
        telemetry::start(settings.log.format, "error");
        let criterion = criterion(self.threshold, self.fmr)?;
        if let Some(folder) = &self.report {
            check_folder(folder)?;
        }
        let (stored, named): (Vec<PathBuf>, Vec<PathBuf>) =
            self.paths.iter().cloned().partition(|path| is_stored(path));
        let files = files(&named)?;
        let tuning = if files.is_empty() { Tuning::None } else { Tuning::Full };
        let engine = Images::load(settings, tuning)?;
        let model = engine.model();
        let judge = engine.judge(criterion)?;

        let Embedded { paths, embeddings, unreadable } = images::embedded(&engine, &stored, files)?;
        let bar = progress(embeddings.len(), true);
        let groups = group(&embeddings, judge.threshold(), |count| bar.inc(count as u64));
        bar.finish_and_clear();
        let groups = groups.map_err(|err| {
            Failure::Caller(format!("{err}: choose a smaller --fmr or a smaller --threshold"))
        })?;

        let found = Found::new(&paths, &groups, &judge, model);
        if let Some(warning) = found.warning() {
            output::note(&warning);
        }
        if let Some(folder) = &self.report {
            create_folder(folder)?;
            let path = folder.join("index.html");
            let page = report::page(&found, |paths| engine.show(paths));
            std::fs::write(&path, page).map_err(|cause| OutputError::Written { path, cause })?;
        }
        output::print(if self.json { json(&found) } else { found.text() })?;
        if unreadable.is_empty() {
            return Ok(Outcome::Done);
        }
        output::note(&unreadable.join("\n"));
        let (failed, all) = (unreadable.len(), unreadable.len() + paths.len());
        Err(Failure::Caller(format!(
            "{failed} of {all} files could not be embedded; the others are grouped"
        )))
    }
}
