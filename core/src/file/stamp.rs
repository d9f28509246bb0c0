//! File stamps: they show whether another file has replaced one at the same path.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The time of the last write, the size, and the inode number. A file that replaces another by renaming may have the
/// same size and time, but not the same inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    number: u64,
}

/// Observed paths and the stamp of the file at each; `None` if there was no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStamps(Vec<(PathBuf, Option<Stamp>)>);

impl Stamp {
    /// The stamp of a file that is open.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), size: metadata.len(), number: metadata.ino() }
    }

    /// The stamp of the file at a path now.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl FileStamps {
    /// Records the stamp of a path, and replaces an earlier record of it.
    pub fn note(&mut self, path: &Path, stamp: Option<Stamp>) {
        self.0.retain(|(noted, _)| noted != path);
        self.0.push((path.to_owned(), stamp));
    }

    /// Reads the stamps of the same paths again.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), Stamp::at(path))).collect())
    }

    /// Whether no path was observed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
