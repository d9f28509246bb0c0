//! Which file stood at a path, so that another can be told from it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// When a file was last written, its size, and its number: a file that takes another's place by renaming may have the
/// other's size and time, but not its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    number: u64,
}

/// Files that were looked at, and what stood there; `None` for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked(Vec<(PathBuf, Option<Stamp>)>);

impl Stamp {
    /// The stamp of a file that is open.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), size: metadata.len(), number: metadata.ino() }
    }

    /// The stamp of what stands at a path now.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl Looked {
    /// Notes what stood at a path; what was noted of it before no longer counts.
    pub fn note(&mut self, path: &Path, stamp: Option<Stamp>) {
        self.0.retain(|(noted, _)| noted != path);
        self.0.push((path.to_owned(), stamp));
    }

    /// The same files as they are now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), Stamp::at(path))).collect())
    }

    /// Whether nothing was looked at.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
