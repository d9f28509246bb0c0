//! From the paths on the command line to a list of files, and from files to the paths in JSON.

use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use siamese_core::file::{is_left_by_desktop, shown};

use crate::cli::Failure;

/// All given files, and all files in the given folders and their subfolders, in the order of their names.
///
/// Links to files are followed. Links to folders are not, because they can form a cycle. A link that leads nowhere and
/// a subfolder that cannot be read are in the list too: reading them gives the reason. Files that a desktop leaves in
/// folders are not.
pub(in crate::cli) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        collect_files(path, &mut files)
            .map_err(|err| Failure::Caller(format!("{}: {err}", shown(path))))?;
        if files.len() == before {
            return Err(Failure::Caller(format!("{}: the folder contains no files", shown(path))));
        }
    }
    Ok(files)
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = folder.read_dir()?.collect::<io::Result<Vec<DirEntry>>>()?;
    entries.retain(|entry| !is_left_by_desktop(&entry.file_name()));
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_failed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_files(&path, files).is_err()
        } else {
            fs::metadata(&path).map_or(true, |metadata| metadata.is_file())
        };
        if is_failed {
            files.push(path);
        }
    }
    Ok(())
}

/// A path in JSON, whose texts are UTF-8.
#[derive(Serialize, Deserialize)]
pub(in crate::cli) struct PathInJson {
    /// The path; if it is not UTF-8, as it is [shown].
    path: String,
    /// The bytes of a path that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
}

impl PathInJson {
    /// The path of the file.
    pub(in crate::cli) fn to_path(&self) -> PathBuf {
        let bytes = self.path_base64.as_ref().and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.map_or_else(|| PathBuf::from(&self.path), |bytes| OsString::from_vec(bytes).into())
    }
}

impl From<&Path> for PathInJson {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self { path: text.to_owned(), path_base64: None },
            None => Self {
                path: shown(path),
                path_base64: Some(BASE64_STANDARD.encode(path.as_os_str().as_bytes())),
            },
        }
    }
}
