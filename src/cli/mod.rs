//! The command line: one file a command, and what their exit codes mean.

mod compare;
mod completions;
mod embed;
mod failure;
mod files;
mod health;
mod images;
mod inspect;
mod manual;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use siamese_core::model::Device;

pub use failure::{Failure, Outcome};

use crate::ops::settings::{Overrides, Settings};
use crate::ops::telemetry;

/// Decides whether two images show the same thing.
#[derive(Debug, Parser)]
#[command(name = "siamese", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer over HTTP.
    Serve(serve::Serve),
    /// Judge two pictures, or one against many: exit 0 same, 1 different, 2 could not tell.
    Compare(compare::Compare),
    /// Print or write the embeddings of pictures and folders of pictures.
    Embed(embed::Embed),
    /// Show a tower's card, and whether its golden pairs hold here.
    Inspect(inspect::Inspect),
    /// Ask a server beside this whether work should be sent to it: exit 0 yes, 1 no.
    Health(health::Health),
    /// Print what a shell needs to complete this program's words.
    Completions(completions::Completions),
    /// Write the manual pages.
    Manual(manual::Manual),
    /// Decode pictures for a server, which starts this.
    #[command(name = crate::engine::decode::worker::COMMAND, hide = true)]
    DecodeWorker,
}

/// Which tower, where.
#[derive(Debug, Args)]
struct TowerArgs {
    /// The tower's ONNX file; by default the shipped one.
    #[arg(long, value_name = "FILE")]
    tower: Option<PathBuf>,
    /// Where it runs: cpu, prefer-gpu or require-gpu.
    #[arg(long)]
    device: Option<Device>,
    /// A TOML file of settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Cli {
    /// Runs the command, says on standard error what went wrong, and gives the exit code.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Embed(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Health(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Manual(command) => command.run(),
            Command::DecodeWorker => crate::engine::decode::worker::run()
                .map(|()| Outcome::Done)
                .map_err(|err| Failure::machine(&err)),
        };
        match outcome {
            Ok(outcome) => outcome.into(),
            Err(failure) => {
                // Where nobody reads it, the exit code still tells.
                telemetry::say_last(format!("siamese: {failure}"));
                failure.into()
            }
        }
    }
}

impl TowerArgs {
    fn settings(&self, listen: Option<std::net::SocketAddr>) -> Result<Settings, Failure> {
        let overrides = Overrides { listen, tower: self.tower.clone(), device: self.device };
        Ok(Settings::load(self.config.as_deref(), &overrides)?)
    }
}
