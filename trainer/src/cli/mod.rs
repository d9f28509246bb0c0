//! The commands: what they are asked for, in which order things are done, what they write and what they say.
//!
//! Each makes values of values, and writes files at the end, all by [`crate::draft`]; training alone saves on the way.

mod adopt;
mod calibrate;
mod chosen;
mod evaluate;
mod export;
mod report;
mod statements;
mod told;
mod train;

use std::path::Path;

use clap::{Parser, Subcommand};

pub use adopt::Adopt;
pub use calibrate::Calibrate;
pub use chosen::{Chosen, Images};
pub use evaluate::Evaluate;
pub use export::{Export, WeightsWanted};
pub use report::Report;
pub use statements::Statements;
pub use train::Train;

/// Trains, evaluates and calibrates the models that siamese serves
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each is described where its options are, and clap takes that")]
pub enum Command {
    Train(Box<Train>),
    Evaluate(Evaluate),
    Report(Report),
    Calibrate(Calibrate),
    Export(Export),
    Adopt(Box<Adopt>),
}

impl Command {
    /// Does it; gives what there is to say.
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

/// What a model is called whose file lies at `out`.
fn file_stem(out: &Path) -> String {
    out.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
