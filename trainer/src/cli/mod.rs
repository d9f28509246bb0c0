//! The commands: their options, the order of their steps, their files and their output.
//!
//! A command calls functions that take and return values. It writes its files at the end, with [`crate::draft`]. Only
//! training also writes files while it runs.

mod adopt;
mod align;
mod calibrate;
mod changes;
mod evaluate;
mod export;
mod help;
mod inputs;
mod manual;
mod messages;
mod report;
mod statements;
mod train;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use siamese_core::model::LoadError;
use siamese_core::output::{self, Destination, OutputError};

use crate::backbone::NotFetched;
use crate::config::CudaUnavailable;

pub use adopt::Adopt;
pub use align::AlignOptions;
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

/// Runs the command that the arguments name, prints its output or its error, and returns the exit code.
pub fn run() -> ExitCode {
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => {
            arguments.command.run().and_then(|output| arguments.command.print(&output))
        }
        Err(mistake) if mistake.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            mistake.exit()
        }
        Err(mistake) if mistake.use_stderr() => Err(anyhow!(in_one_line(&mistake))),
        Err(help) => {
            output::printed(help.print().and_then(|()| io::stdout().flush())).map_err(Into::into)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Returns clap's explanation of a mistake without the usage, which `--help` shows.
fn in_one_line(mistake: &clap::Error) -> String {
    let text = mistake.to_string();
    let is_explanation =
        |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let lines = text.lines().take_while(is_explanation).map(str::trim);
    let mut explanation = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let between = match explanation.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => ", ",
        };
        explanation.push_str(between);
        explanation.push_str(line);
    }
    format!("{}; --help lists the options", explanation.trim_start_matches("error: "))
}

/// Returns 3 if the machine lacks something that every model needs or refuses to write, and 2 if the caller can correct
/// the error.
fn exit_code(error: &anyhow::Error) -> u8 {
    let is_of_machine = |cause: &(dyn std::error::Error + 'static)| {
        let load = cause.downcast_ref::<LoadError>();
        cause.is::<CudaUnavailable>()
            || cause.is::<NotFetched>()
            || load
                .is_some_and(|load| matches!(load, LoadError::Library(_) | LoadError::NoGpu { .. }))
            || cause.downcast_ref::<OutputError>().is_some_and(OutputError::is_of_machine)
            || cause.downcast_ref::<io::Error>().is_some_and(output::is_of_machine)
    };
    if error.chain().any(is_of_machine) { 3 } else { 2 }
}

impl Command {
    /// Prints the output: on standard error if standard output receives the model.
    fn print(&self, text: &str) -> anyhow::Result<()> {
        let out = match self {
            Self::Train(train) => Some(train.out()),
            Self::Calibrate(calibrate) => Some(&*calibrate.out),
            Self::Export(export) => Some(&*export.out),
            Self::Adopt(adopt) => Some(&*adopt.out),
            Self::Evaluate(_) | Self::Report(_) | Self::Manual(_) => None,
        };
        if out.is_some_and(|out| Destination::of(out).is_ok_and(|out| out.is_stdout())) {
            output::note(text.trim_end());
            return Ok(());
        }
        Ok(output::print(text)?)
    }

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
