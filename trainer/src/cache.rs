//! The cache folder: what can be fetched or computed again.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use siamese_core::output::create_folder;

/// Returns a folder within the cache folder, which is that of `SIAMESE_CACHE`, else `siamese` in the user's cache folder.
/// Creates it if necessary.
///
/// # Errors
///
/// If there is no such folder, or it can't be created.
pub(crate) fn folder(part: &str) -> anyhow::Result<PathBuf> {
    let stated = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let root = stated("SIAMESE_CACHE")
        .or_else(|| Some(stated("XDG_CACHE_HOME")?.join("siamese")))
        .or_else(|| Some(stated("HOME")?.join(".cache/siamese")))
        .context("there is no cache folder: name one with the variable SIAMESE_CACHE")?;
    let folder = root.join(part);
    create_folder(&folder).with_context(|| {
        format!(
            "the cache folder {} can't be created: name another with the variable SIAMESE_CACHE",
            folder.display()
        )
    })?;
    Ok(folder)
}
