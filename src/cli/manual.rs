//! The command `siamese manual`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use siamese_core::manual;

use super::{Cli, Failure, Outcome, help};

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The folder for the pages: siamese.1, and one page per command.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Manual {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        manual::write(Cli::command(), help::ENVIRONMENT, &self.folder)?;
        Ok(Outcome::Done)
    }
}
