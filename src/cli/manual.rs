//! `siamese manual`

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Cli, Failure, Outcome};

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The folder for the pages: siamese.1, and one for each command.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Manual {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let written = std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        written.map_err(|err| {
            Failure::Machine(format!("{} can't be written: {err}", self.folder.display()))
        })?;
        Ok(Outcome::Done)
    }
}
