//! The commands: their options, the order of their steps, their files and their output.
//!
//! A command calls functions that take and return values. It writes its files at the end, with [`crate::draft`]. Only
//! training also writes files while it runs.

mod adopt;
mod calibrate;

mod evaluate;
mod export;
mod inputs;
mod messages;
mod report;
mod statements;
mod train;

use std::path::Path;

use clap::{Parser, Subcommand};

pub use adopt::Adopt;
pub use calibrate::Calibrate;

pub use evaluate::Evaluate;
pub use export::{Export, WeightFormat};
pub use inputs::{Images, ModelAndImages};
pub use report::Report;
pub use statements::Statements;
pub use train::Train;

/// Trains, evaluates and calibrates the models that siamese serves
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "clap takes the description from the options of each command")]
pub enum Command {
    Train(Box<Train>),
    Evaluate(Evaluate),
    Report(Report),
    Calibrate(Calibrate),
    Export(Export),
    Adopt(Box<Adopt>),
}

impl Command {
    /// Runs the command and returns its output.
    pub fn run(&self) -> anyhow::Result<String> {
        match self {
            Self::Train(train) => train.run(),
            Self::Evaluate(evaluate) => evaluate.run(),
            Self::Report(report) => report.run(),
            Self::Calibrate(calibrate) => calibrate.run(),
            Self::Export(export) => export.run(),
            Self::Adopt(adopt) => adopt.run(),
        }
    }
}

/// Returns the default name of a model that is written to `out`.
fn file_stem(out: &Path) -> String {
    out.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "the output rounds to one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
