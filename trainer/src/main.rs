//! Trains, evaluates and calibrates the models that siamese serves.

use std::process::ExitCode;

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese_core::memory::keep_large_blocks();
    siamese_trainer::cli::run()
}
