//! A reserved file descriptor, for reading important files when the process has no other descriptor left.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::read;

/// How often a read is repeated, and the pause between two attempts, when other threads take the released descriptor.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// One open descriptor. It is released while a file is read that would not get a descriptor otherwise.
pub struct Reserve(Mutex<Option<File>>);

impl Reserve {
    /// Opens the reserved descriptor. If that fails, a later read tries again.
    #[expect(clippy::new_without_default, reason = "it opens a file")]
    pub fn new() -> Self {
        Self(Mutex::new(spare()))
    }

    /// Reads a whole regular file of at most `most` bytes. Releases the reserved descriptor if no other is left.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        // The lock is not held during a read: a read that hangs must not block the next one.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut outcome = read(path, most);
        for _ in 0..TRIES {
            if !outcome.as_ref().is_err_and(no_descriptor_left) {
                break;
            }
            if kept.take().is_none() {
                thread::sleep(PAUSE);
            }
            outcome = read(path, most);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept.or_else(spare);
        outcome
    }
}

/// Opens the root directory, which exists everywhere.
fn spare() -> Option<File> {
    File::open("/").ok()
}

fn no_descriptor_left(err: &io::Error) -> bool {
    matches!(err.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
