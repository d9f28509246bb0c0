//! The command `siamese completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use siamese_core::output;

use super::{Cli, Failure, Outcome};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to generate completions for.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "siamese", &mut script);
        output::print(&script)?;
        Ok(Outcome::Done)
    }
}
