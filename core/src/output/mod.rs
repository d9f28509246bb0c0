//! What a program writes for its user: text on standard output, and files.
//!
//! All commands of both programs print and write through this module. It decides which errors are the caller's.

mod destination;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use thiserror::Error;

pub use destination::{Destination, check_folder, create_folder};

/// Why output can't be written. Each message is one line that names the file.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Standard output is full, or another device refuses it.
    #[error("standard output cannot be written")]
    Printed(#[source] io::Error),
    /// The system refuses the file.
    #[error("{} cannot be written", .path.display())]
    Written {
        /// The file, as the user names it.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The path of a file names a folder.
    #[error("{} is a folder: name a file in it", .0.display())]
    Folder(PathBuf),
    /// The path of a file names a socket, which nothing can be written to by its path.
    #[error("{} is a socket: name a file, a pipe or a device", .0.display())]
    Socket(PathBuf),
    /// The path of a folder names something else.
    #[error("{} is not a folder: name a folder, or a path where one can be created", .0.display())]
    NoFolder(PathBuf),
}

/// Prints on standard output.
///
/// A reader that closed the pipe, such as `head`, has read what it wants: that is no error.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()))
}

/// What [`print()`] makes of the outcome of a write to standard output.
///
/// The outcome must include a flush: standard output is buffered, and nobody learns of an error at the end of the
/// process.
pub fn printed(outcome: io::Result<()>) -> Result<(), OutputError> {
    match outcome {
        Err(cause) if !is_closed(&cause) => Err(OutputError::Printed(cause)),
        _ => Ok(()),
    }
}

/// Prints a line on standard error. If that fails, nobody is there to read why; the exit code still reports a problem.
pub fn note(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Whether the reader of a pipe closed it.
pub fn is_closed(err: &io::Error) -> bool {
    err.kind() == ErrorKind::BrokenPipe
}

/// Whether an error of the system is a problem of the machine, such as a full disk, and not a wrong path.
pub fn is_of_machine(err: &io::Error) -> bool {
    use ErrorKind::{OutOfMemory, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut};
    let kinds = [OutOfMemory, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut];
    let codes = [libc::EFBIG, libc::EIO, libc::EMFILE, libc::ENFILE];
    kinds.contains(&err.kind()) || err.raw_os_error().is_some_and(|code| codes.contains(&code))
}

impl OutputError {
    /// Whether it is a problem of the machine: exit code 3, and 2 otherwise.
    pub fn is_of_machine(&self) -> bool {
        match self {
            Self::Printed(_) => true,
            Self::Written { cause, .. } => is_of_machine(cause),
            Self::Folder(_) | Self::Socket(_) | Self::NoFolder(_) => false,
        }
    }
}
