//! The service's program: see [`siamese::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese::cli::run()
}
