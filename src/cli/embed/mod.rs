//! The command `siamese embed`.

mod output;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::files::files;
use super::images::Images;
use super::{Failure, ModelArgs, Outcome};
use crate::engine::deployment::Tuning;
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
    /// NAME.jsonl: one JSON object per line. Without this option, JSON lines are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Continue the file that an interrupted run left. Images that it already holds are skipped.
    #[arg(long, requires = "out")]
    resume: bool,
}

impl Embed {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(None)?;
        telemetry::start(settings.log.format, "error");
        let files = files(&self.paths)?;
        let images = Images::load(settings, Tuning::Full)?;
        let description = images.model();
        let mut output = match &self.out {
            None => Output::printed(&description.digest),
            Some(out) => Output::file(out, description.width, &description.digest, self.resume)?,
        };
        let left: Vec<PathBuf> = files.into_iter().filter(|path| !output.holds(path)).collect();
        let progress = progress(left.len(), self.out.is_some());
        let mut unreadable = Vec::new();
        images.embed(&left, |path, embedded| {
            progress.inc(1);
            match embedded {
                Ok(embedding) => output.put(path, &embedding).map_err(|err| self.unwritable(&err)),
                Err(why) => {
                    unreadable.push(format!("{}: {why}", path.display()));
                    Ok(())
                }
            }
        })?;
        progress.finish_and_clear();
        output.finish().map_err(|err| self.unwritable(&err))?;
        if unreadable.is_empty() {
            return Ok(Outcome::Done);
        }
        let mut errors = io::stderr().lock();
        for line in &unreadable {
            // A closed standard error is no reason to fail; the exit code still reports the problem.
            let _ = writeln!(errors, "{line}");
        }
        let (failed, all) = (unreadable.len(), left.len());
        Err(Failure::Caller(format!(
            "{failed} of {all} files could not be embedded; the others are written"
        )))
    }

    fn unwritable(&self, err: &io::Error) -> Failure {
        let out = self.out.as_deref().unwrap_or(Path::new("standard output"));
        Failure::Machine(format!("cannot write {}: {err}", out.display()))
    }
}

/// A progress bar on the terminal, if the embeddings go to a file.
fn progress(files: usize, is_shown: bool) -> ProgressBar {
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} images, {per_sec}, {eta} left")
            .expect("a template of indicatif's own fields");
    ProgressBar::with_draw_target(u64::try_from(files).ok(), target).with_style(style)
}
