//! The service's program: see [`siamese::cli`].

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    siamese_core::model::forbid_telemetry();
    siamese::cli::Cli::parse().run()
}
