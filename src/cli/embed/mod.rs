//! `siamese embed`

mod output;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::files::files;
use super::images::Images;
use super::{Failure, Outcome, TowerArgs};
use crate::engine::deployment::Tuning;
use crate::ops::telemetry;
use output::Output;

#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Pictures, or folders, of which all files are taken, those of folders in them too, in the order of their names.
    #[arg(required = true, value_name = "PICTURE|FOLDER")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    tower: TowerArgs,
    /// Write a .npy file (float32, one row a picture; whose row it is stands in a .txt beside it) or a .jsonl file;
    /// else .jsonl is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on with the file that a stopped run left: what stands in it is not embedded again.
    #[arg(long, requires = "out")]
    resume: bool,
}

impl Embed {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.tower.settings(None)?;
        telemetry::start(settings.log.format, "error");
        let files = files(&self.paths)?;
        let images = Images::load(settings, Tuning::Full)?;
        let description = images.tower();
        let mut output = match &self.out {
            None => Output::printed(&description.digest),
            Some(out) => Output::file(out, description.width, &description.digest, self.resume)?,
        };
        let left: Vec<PathBuf> = files.into_iter().filter(|it| !output.holds(it)).collect();
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
            // Where nobody reads it, the exit code still tells.
            let _ = writeln!(errors, "{line}");
        }
        let (failed, all) = (unreadable.len(), left.len());
        Err(Failure::Caller(format!("{failed} of {all} files gave no embedding; the others did")))
    }

    fn unwritable(&self, err: &io::Error) -> Failure {
        let out = self.out.as_deref().unwrap_or(Path::new("standard output"));
        Failure::Machine(format!("{} can't be written: {err}", out.display()))
    }
}

/// A bar on a terminal, where the embeddings go elsewhere.
fn progress(files: usize, is_shown: bool) -> ProgressBar {
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} pictures, {per_sec}, {eta} left")
            .expect("a template of indicatif's own fields");
    ProgressBar::with_draw_target(u64::try_from(files).ok(), target).with_style(style)
}
