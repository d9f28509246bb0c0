//! The command line: one file per command, and the meaning of the exit codes.

mod changes;
mod compare;
mod embed;
mod failure;
mod group;
mod health;
mod help;
mod images;
mod inspect;
mod install;
mod serve;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use siamese_core::model::Device;
use siamese_core::output;
use siamese_core::score::Threshold;

pub use failure::{Failure, Outcome};

use crate::engine::judgement::Criterion;
use crate::ops::settings::{Listen, NamedModel, Overrides, Settings};
use crate::ops::telemetry;

/// Decides whether two images show the same thing.
#[derive(Debug, Parser)]
#[command(name = "siamese", version, propagate_version = true, after_help = help::SIAMESE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the HTTP server.
    #[command(after_help = help::SERVE)]
    Serve(serve::Serve),
    /// Compare two images, or one image with many.
    #[command(after_help = help::COMPARE)]
    Compare(compare::Compare),
    /// Find what has changed between two images, or between the images of two folders.
    #[command(after_help = help::CHANGES)]
    Changes(changes::Changes),
    /// Compute the embeddings of images and folders of images.
    #[command(after_help = help::EMBED)]
    Embed(embed::Embed),
    /// Find duplicates and groups of images that show the same thing.
    #[command(after_help = help::GROUP)]
    Group(group::Group),
    /// Show a model's card, and check its golden pairs on this machine.
    #[command(after_help = help::INSPECT)]
    Inspect(inspect::Inspect),
    /// Check whether a server on this machine is ready to receive requests.
    #[command(after_help = help::HEALTH)]
    Health(health::Health),
    /// Print a completion script for a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions(install::Completions),
    /// Write the manual pages.
    #[command(after_help = help::MANUAL)]
    Manual(install::Manual),
    /// Decode images for a server. The server starts this command itself.
    #[command(name = crate::engine::decode::worker::COMMAND, hide = true)]
    DecodeWorker,
}

/// Options that choose one model and its device.
#[derive(Debug, Args)]
struct ModelArgs {
    /// The model's ONNX file. Default: the model that comes with the program.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Options of all commands that run models.
#[derive(Debug, Args)]
struct CommonArgs {
    /// The device that runs the model: cpu, prefer-gpu or require-gpu.
    #[arg(long)]
    device: Option<Device>,
    /// A TOML settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command that the arguments name, reports a failure on standard error, and returns the exit code.
pub fn run() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => cli.run(),
        // Clap explains the mistake itself.
        Err(mistake) if mistake.use_stderr() => mistake.exit(),
        Err(help) => output::printed(help.print().and_then(|()| io::stdout().flush()))
            .map(|()| Outcome::Done)
            .map_err(Failure::from),
    };
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            // A closed standard error is no reason to fail; the exit code still reports the problem.
            telemetry::say_last(format!("siamese: {failure}"));
            failure.into()
        }
    }
}

impl Cli {
    fn run(self) -> Result<Outcome, Failure> {
        match self.command {
            Command::Serve(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Changes(command) => command.run(),
            Command::Embed(command) => command.run(),
            Command::Group(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Health(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Manual(command) => command.run(),
            Command::DecodeWorker => crate::engine::decode::worker::run()
                .map(|()| Outcome::Done)
                .map_err(|err| Failure::machine(&err)),
        }
    }
}

/// A document of JSON for people and programs.
fn json(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("text keys, finite numbers") + "\n"
}

/// How pairs are judged, from the options of a command.
fn criterion(threshold: Option<f64>, fmr: Option<f64>) -> Result<Criterion, Failure> {
    Ok(match (threshold, fmr) {
        (Some(threshold), _) => Criterion::Threshold(
            Threshold::try_from(threshold).map_err(|err| Failure::caller(&err))?,
        ),
        (None, Some(fmr)) => Criterion::Fmr(fmr),
        (None, None) => Criterion::InForce,
    })
}

impl ModelArgs {
    /// The settings for one model; `shipped` is the path of the one that is used without `--model`.
    fn settings(&self, shipped: &str) -> Result<Settings, Failure> {
        let models = self.model.iter().cloned().map(NamedModel::of_file).collect();
        let mut settings = self.common.settings(models, None)?;
        settings.keep_one(shipped)?;
        Ok(settings)
    }
}

impl CommonArgs {
    fn settings(
        &self,
        models: Vec<NamedModel>,
        listen: Option<Listen>,
    ) -> Result<Settings, Failure> {
        let overrides = Overrides { listen, models, device: self.device };
        Ok(Settings::load(self.config.as_deref(), &overrides)?)
    }
}
