//! The command `manual`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Arguments, help};

/// Writes the manual pages
#[derive(Debug, Args)]
pub struct Manual {
    /// The folder for the pages: siamese-trainer.1, and one page per command
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Manual {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        siamese_core::manual::write(Arguments::command(), help::ENVIRONMENT, &self.folder)?;
        Ok(String::new())
    }
}
