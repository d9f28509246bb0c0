//! The command `siamese embed`.

mod output;
mod rows;
pub(super) mod stored;

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use siamese_core::file::shown;
use siamese_core::output::note;

use super::images::files::files;
use super::images::{Images, progress};
use super::{Failure, ModelArgs, Outcome};
use crate::engine::deployment::Tuning;
use crate::ops::settings::DEFAULT_MODEL;
use crate::ops::telemetry;
use output::Output;

#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Image files, or folders that are searched for files recursively, in the order of their names.
    #[arg(required = true, value_name = "IMAGE|FOLDER")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Write the embeddings to this file. NAME.npy: float32, one row per image, with the paths in NAME.txt;
    /// NAME.jsonl, a device or a pipe: one JSON object per line. Without this option, JSON lines are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Continue the file that an interrupted run left. Images that it already holds are skipped.
    #[arg(long, requires = "out")]
    resume: bool,
}

impl Embed {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(DEFAULT_MODEL)?;
        telemetry::start(settings.log.format, "error");
        let files = files(&self.paths)?;
        let images = Images::load(settings, Tuning::Full)?;
        let description = images.model();
        let mut embeddings = match &self.out {
            None => Output::printed(&description.digest),
            Some(out) => Output::file(out, description.width, &description.digest, self.resume)?,
        };
        let left: Vec<PathBuf> = files.into_iter().filter(|path| !embeddings.holds(path)).collect();
        let progress = progress(left.len(), self.out.is_some());
        let mut unreadable = Vec::new();
        let mut flow = ControlFlow::Continue(());
        images.embed(&left, |path, embedded| {
            progress.inc(1);
            match embedded {
                Ok(image) => flow = embeddings.put(path, &image)?,
                Err(why) => unreadable.push(format!("{}: {why}", shown(path))),
            }
            Ok(flow)
        })?;
        progress.finish_and_clear();
        if flow.is_break() || embeddings.finish()?.is_break() || unreadable.is_empty() {
            return Ok(Outcome::Done);
        }
        note(&unreadable.join("\n"));
        let (failed, all) = (unreadable.len(), left.len());
        Err(Failure::Caller(format!(
            "{failed} of {all} files could not be embedded; the others are written"
        )))
    }
}
