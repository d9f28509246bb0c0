//! Which files are meant.

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;

/// All files named, and all those below the folders named, in the order of their names.
///
/// Links to files are followed; links to folders are not, as they may lead in a circle.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        below(path, &mut files)?;
        if files.len() == before {
            return Err(Failure::Caller(format!("{}: the folder has no files", path.display())));
        }
    }
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut entries = folder
        .read_dir()
        .and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>)
        .map_err(|err| Failure::Caller(format!("{}: {err}", folder.display())))?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            below(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
