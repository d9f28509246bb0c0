//! Files in the cache, each with a checksum.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::cache;
use crate::data::digest_of;

/// The length of a digest as text, at the end of a file.
const CHECKSUM: usize = "sha256:".len() + 64;

/// What a network has computed, in the cache. A cache only saves time: without one, everything is computed again.
pub(super) struct Stored {
    /// `None` if nothing can be cached.
    folder: Option<PathBuf>,
    /// Whether a warning has said that nothing can be written.
    has_warned: AtomicBool,
}

impl Stored {
    /// Opens a folder in a part of the cache.
    pub(super) fn open(part: &str, folder: &str) -> Self {
        let folder = cache::folder(part).map(|part| part.join(folder));
        Self { folder, has_warned: AtomicBool::new(false) }
    }

    /// Returns what [`keep`](Self::keep) wrote; `None` if there is no such file, or it is damaged.
    pub(super) fn read(&self, digest: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.file(digest)?).ok()?;
        let checksum = bytes.split_off(bytes.len().checked_sub(CHECKSUM)?);
        (digest_of(&bytes).as_bytes() == checksum).then_some(bytes)
    }

    /// Writes a file. It appears only when it is complete. The first one that can't be written gives a warning.
    pub(super) fn keep(&self, digest: &str, bytes: &[u8]) {
        let Some(file) = self.file(digest) else { return };
        if let Err(error) = write(&file, bytes)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            cache::warn(&format!("{} can't be written ({error})", file.display()));
        }
    }

    fn file(&self, digest: &str) -> Option<PathBuf> {
        let name = digest.trim_start_matches("sha256:");
        self.folder.as_ref().map(|folder| folder.join(&name[..2]).join(&name[2..]))
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a path in the cache folder")?;
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.write_all(digest_of(bytes).as_bytes())?;
    file.persist(path)?;
    Ok(())
}
