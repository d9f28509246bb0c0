//! The cache folder: what can be fetched or computed again.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use siamese_core::output::create_folder;

/// Returns a folder within `siamese` in the user's cache folder: `XDG_CACHE_HOME`, or else `~/.cache`. Creates it if
/// necessary.
///
/// # Errors
///
/// If there is no such folder, or it can't be created.
pub(crate) fn folder(part: &str) -> anyhow::Result<PathBuf> {
    let stated = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let root = stated("XDG_CACHE_HOME")
        .or_else(|| Some(stated("HOME")?.join(".cache")))
        .context("there is no cache folder: name one with the variable XDG_CACHE_HOME")?;
    let folder = root.join("siamese").join(part);
    create_folder(&folder).with_context(|| {
        format!(
            "the cache folder {} can't be created: name another with the variable XDG_CACHE_HOME",
            folder.display()
        )
    })?;
    Ok(folder)
}
