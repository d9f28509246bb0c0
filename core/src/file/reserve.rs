//! A descriptor that is kept back, so that some files can be read when the process has no other left.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::read;

/// How often, and after which pause, a file is tried again where others were quicker to take what was given up.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// One open descriptor, given up while a file is read for which there is no other.
pub struct Reserve(Mutex<Option<File>>);

impl Reserve {
    /// Opens what is kept back; where that fails, there is no reserve until a later read.
    #[expect(clippy::new_without_default, reason = "it opens a file")]
    pub fn new() -> Self {
        Self(Mutex::new(spare()))
    }

    /// Reads a whole regular file of at most `most` bytes, with the reserve where there is no other descriptor.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        // The lock is never held over a read: one that hangs must not hold up the next.
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

/// The root is there wherever a program runs.
fn spare() -> Option<File> {
    File::open("/").ok()
}

fn no_descriptor_left(err: &io::Error) -> bool {
    matches!(err.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
