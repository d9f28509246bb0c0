//! Trains, evaluates and calibrates the models that siamese serves.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use siamese_core::model::LoadError;
use siamese_trainer::cli::Arguments;
use siamese_trainer::config::Unusable;

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese_core::memory::keep_large_blocks();
    match Arguments::parse().command.run() {
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

/// 3 where the machine lacks what any model needs to run; 2 for what the caller can mend.
fn exit_code(error: &anyhow::Error) -> u8 {
    let is_the_machines = error.chain().any(|it| {
        matches!(
            it.downcast_ref::<LoadError>(),
            Some(LoadError::Library(_) | LoadError::NoGpu { .. })
        ) || it.is::<Unusable>()
    });
    if is_the_machines { 3 } else { 2 }
}
