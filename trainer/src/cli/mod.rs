//! The commands: their options, the order of their steps, their files and their output.
//!
//! A command calls functions that take and return values. It writes its files at the end, with [`crate::draft`]. Only
//! training also writes files while it runs.

mod adopt;
mod calibrate;

mod evaluate;
mod export;
mod help;
mod inputs;
mod manual;
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
pub use manual::Manual;
pub use report::Report;
pub use statements::Statements;
pub use train::Train;

/// Trains, evaluates and calibrates the models that siamese serves
#[derive(Debug, Parser)]
#[command(name = "siamese-trainer", version, propagate_version = true, about)]
#[command(after_help = help::with_exit_codes(help::TRAINER))]
pub struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "clap takes the description from the options of each command")]
pub enum Command {
    #[command(after_help = help::with_exit_codes(help::TRAIN))]
    Train(Box<Train>),
    #[command(after_help = help::with_exit_codes(help::EVALUATE))]
    Evaluate(Evaluate),
    #[command(after_help = help::with_exit_codes(help::REPORT))]
    Report(Report),
    #[command(after_help = help::with_exit_codes(help::CALIBRATE))]
    Calibrate(Calibrate),
    #[command(after_help = help::with_exit_codes(help::EXPORT))]
    Export(Export),
    #[command(after_help = help::with_exit_codes(help::ADOPT))]
    Adopt(Box<Adopt>),
    #[command(after_help = help::with_exit_codes(help::MANUAL))]
    Manual(Manual),
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
            Self::Manual(manual) => manual.run(),
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
