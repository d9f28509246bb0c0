//! The commands of an installation: `siamese completions` and `siamese manual`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use siamese_core::{manual, output};

use super::{Cli, Failure, Outcome, help};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to generate completions for.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The folder for the pages: siamese.1, and one page per command.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Completions {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "siamese", &mut script);
        output::print(&script)?;
        Ok(Outcome::Done)
    }
}

impl Manual {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        manual::write(Cli::command(), help::ENVIRONMENT, &self.folder)?;
        Ok(Outcome::Done)
    }
}
