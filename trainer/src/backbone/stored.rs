//! Files in the cache, each with a checksum.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::data::digest_of;

/// The length of a digest as text, at the end of a file.
const CHECKSUM: usize = "sha256:".len() + 64;

/// Returns what [`write`] wrote; `None` if there is no such file, or it is damaged.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let checksum = bytes.split_off(bytes.len().checked_sub(CHECKSUM)?);
    (digest_of(&bytes).as_bytes() == checksum).then_some(bytes)
}

/// Writes a file. It appears only when it is complete.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a path in the cache folder")?;
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.write_all(digest_of(bytes).as_bytes())?;
    file.persist(path)?;
    Ok(())
}
