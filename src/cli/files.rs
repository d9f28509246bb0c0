//! From the paths on the command line to a list of files.

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;

/// All given files, and all files in the given folders and their subfolders, in the order of their names.
///
/// Links to files are followed. Links to folders are not, because they can form a cycle.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        collect_files(path, &mut files)?;
        if files.len() == before {
            return Err(Failure::Caller(format!(
                "{}: the folder contains no files",
                path.display()
            )));
        }
    }
    Ok(files)
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut entries = folder
        .read_dir()
        .and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>)
        .map_err(|err| Failure::Caller(format!("{}: {err}", folder.display())))?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_files(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
