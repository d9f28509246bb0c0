//! `siamese completions`

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Failure, Outcome};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "as every command")]
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        generate(self.shell, &mut Cli::command(), "siamese", &mut io::stdout());
        Ok(Outcome::Done)
    }
}
