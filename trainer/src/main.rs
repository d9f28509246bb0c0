//! Trains, evaluates and calibrates the towers that siamese serves.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use siamese_core::model::LoadError;
use siamese_trainer::adopt::Adopt;
use siamese_trainer::calibrate::Calibrate;
use siamese_trainer::evaluate::Evaluate;
use siamese_trainer::export::int8::Export;
use siamese_trainer::learn::Unusable;
use siamese_trainer::side_by_side::Report;
use siamese_trainer::train::Train;

/// Trains, evaluates and calibrates the towers that siamese serves
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<Train>),
    Evaluate(Evaluate),
    Report(Report),
    Calibrate(Calibrate),
    Export(Export),
    Adopt(Box<Adopt>),
}

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese_core::memory::keep_large_blocks();
    let done = match Arguments::parse().command {
        Command::Train(train) => train.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Report(report) => report.run(),
        Command::Calibrate(calibrate) => calibrate.run().map_err(Into::into),
        Command::Export(export) => export.run().map_err(Into::into),
        Command::Adopt(adopt) => adopt.run(),
    };
    match done {
        Ok(said) => {
            // A reader that has heard enough and gone is no error.
            let _ = io::stdout().write_all(said.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 3 where the machine lacks what any tower needs to run; 2 for what the caller can mend.
fn exit_code(error: &anyhow::Error) -> u8 {
    let is_the_machines = error.chain().any(|it| {
        matches!(
            it.downcast_ref::<LoadError>(),
            Some(LoadError::Library(_) | LoadError::NoGpu { .. })
        ) || it.is::<Unusable>()
    });
    if is_the_machines { 3 } else { 2 }
}
