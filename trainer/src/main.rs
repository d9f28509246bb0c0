//! Trains, evaluates and calibrates the models that siamese serves.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use siamese_core::model::LoadError;
use siamese_trainer::cli::Arguments;
use siamese_trainer::config::CudaUnavailable;

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese_core::memory::keep_large_blocks();
    match Arguments::parse().command.run() {
        Ok(output) => {
            // A closed pipe is not an error: the reader may stop early.
            let _ = io::stdout().write_all(output.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Returns 3 if the machine lacks something that every model needs, and 2 if the caller can correct the error.
fn exit_code(error: &anyhow::Error) -> u8 {
    let machine_is_at_fault = error.chain().any(|cause| {
        matches!(
            cause.downcast_ref::<LoadError>(),
            Some(LoadError::Library(_) | LoadError::NoGpu { .. })
        ) || cause.is::<CudaUnavailable>()
    });
    if machine_is_at_fault { 3 } else { 2 }
}
