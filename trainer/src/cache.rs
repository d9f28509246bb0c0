//! The cache folder: what can be fetched or computed again.

use std::env;
use std::path::PathBuf;

use siamese_core::output::{create_folder, note};

/// Returns a folder within `siamese` in the user's cache folder: `XDG_CACHE_HOME`, or else `~/.cache`. Creates it if
/// necessary. `None`, with a warning, if that is impossible: a cache only saves time.
pub(crate) fn folder(part: &str) -> Option<PathBuf> {
    let stated = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let root = stated("XDG_CACHE_HOME").or_else(|| Some(stated("HOME")?.join(".cache")));
    let Some(root) = root else {
        warn("there is no cache folder");
        return None;
    };
    let folder = root.join("siamese").join(part);
    match create_folder(&folder) {
        Ok(()) => Some(folder),
        Err(error) => {
            warn(&format!("the cache folder {} can't be created ({error})", folder.display()));
            None
        }
    }
}

/// Prints a warning that a cache can't be used.
pub(crate) fn warn(why: &str) {
    note(&format!(
        "warning: {why}, so the next run computes everything again: name a folder with the variable XDG_CACHE_HOME"
    ));
}
