//! How a command ends, and its exit code.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use siamese_core::causes;
use siamese_core::model::LoadError;
use siamese_core::output::OutputError;

use crate::engine::deployment::DeployError;
use crate::ops::settings::SettingsError;

/// How a command ends if it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0: the command is done, or the result is positive.
    Done,
    /// Exit code 1: the result is negative.
    Negative,
}

/// Why a command fails; one line on standard error.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 2: the caller's mistake.
    Caller(String),
    /// Exit code 3: a problem of the machine, such as a missing library, a missing GPU or a port in use.
    Machine(String),
}

impl Failure {
    /// The caller's mistake, with its causes on one line.
    pub(super) fn caller(err: &dyn Error) -> Self {
        Self::Caller(one_line(err))
    }

    /// A problem of the machine, with its causes on one line.
    pub(super) fn machine(err: &dyn Error) -> Self {
        Self::Machine(one_line(err))
    }
}

fn one_line(err: &dyn Error) -> String {
    causes(err).split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Caller(line) | Self::Machine(line)) = self;
        f.write_str(line)
    }
}

impl From<SettingsError> for Failure {
    fn from(err: SettingsError) -> Self {
        Self::Caller(one_line(&err))
    }
}

impl From<OutputError> for Failure {
    fn from(err: OutputError) -> Self {
        if err.is_of_machine() { Self::machine(&err) } else { Self::caller(&err) }
    }
}

impl From<LoadError> for Failure {
    fn from(err: LoadError) -> Self {
        match err {
            LoadError::Library(_) | LoadError::NoGpu { .. } => Self::machine(&err),
            LoadError::Unreadable { ref source, .. } if source.kind() == ErrorKind::TimedOut => {
                Self::machine(&err)
            }
            _ => Self::caller(&err),
        }
    }
}

impl From<DeployError> for Failure {
    fn from(err: DeployError) -> Self {
        match err {
            DeployError::Settings(err) => err.into(),
            DeployError::Load(err) => err.into(),
            DeployError::Panicked => Self::machine(&err),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Negative => Self::from(1),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Caller(_) => Self::from(2),
            Failure::Machine(_) => Self::from(3),
        }
    }
}
