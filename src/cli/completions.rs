//! The command `siamese completions`.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Failure, Outcome};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to generate completions for.
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "every command has this signature")]
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        generate(self.shell, &mut Cli::command(), "siamese", &mut io::stdout());
        Ok(Outcome::Done)
    }
}
