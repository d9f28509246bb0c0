//! Reads the files that `siamese embed` has written.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use siamese_core::file::{self, path_of, shown};
use siamese_core::model::Description;
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;

use super::rows::names;
use crate::cli::Failure;
use crate::cli::images::files::PathInJson;
use crate::ops::npy;

/// The largest file, in bytes.
const LARGEST_FILE: u64 = 16 << 30;

/// Why a file cannot be used.
#[derive(Debug, Error)]
enum StoredError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(
        "`siamese embed` did not write this file, or did not finish it: run it again, with --resume for a part"
    )]
    Foreign,
    #[error(
        "the file holds another model's embeddings: name that model with --model, or embed the images again"
    )]
    OtherModel,
    #[error("row {0}: {1}")]
    Invalid(usize, InvalidEmbedding),
}

/// One line of a `.jsonl` file.
#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    path: PathInJson,
    embedding: Vec<f32>,
    digest: String,
}

/// Whether a path names a file of embeddings, and not an image or a folder.
pub(in crate::cli) fn is_stored(path: &Path) -> bool {
    is_npy(path) || path.extension() == Some(OsStr::new("jsonl")) && !path.is_dir()
}

fn is_npy(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("npy")) && !path.is_dir()
}

/// The images of a file, with their embeddings by this model.
pub(in crate::cli) fn read(
    path: &Path,
    model: &Description,
) -> Result<Vec<(PathBuf, Embedding)>, Failure> {
    let of = |path: &Path, err: StoredError| Failure::Caller(format!("{}: {err}", shown(path)));
    let text = |path: &Path| {
        let text = file::read(path, LARGEST_FILE).and_then(file::text);
        text.map_err(|err| of(path, err.into()))
    };
    let read = if is_npy(path) {
        let names = text(&names(path))?;
        let numbers = file::read(path, LARGEST_FILE).map_err(|err| of(path, err.into()))?;
        rows(&numbers, &names, model)
    } else {
        lines(&text(path)?, model)
    };
    read.map_err(|err| of(path, err))
}

fn rows(
    numbers: &[u8],
    names: &str,
    model: &Description,
) -> Result<Vec<(PathBuf, Embedding)>, StoredError> {
    let mut names = names.lines();
    let digest = names.next().and_then(|line| line.strip_prefix("# "));
    if digest.ok_or(StoredError::Foreign)? != model.digest {
        return Err(StoredError::OtherModel);
    }
    let names: Vec<&str> = names.collect();
    let numbers = numbers
        .strip_prefix(&npy::header(&[names.len(), model.width])[..])
        .filter(|numbers| numbers.len() == 4 * names.len() * model.width)
        .ok_or(StoredError::Foreign)?;
    let (numbers, _) = numbers.as_chunks();
    let rows = names.into_iter().zip(numbers.chunks_exact(model.width)).enumerate();
    rows.map(|(row, (name, numbers))| {
        let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((path_of(name), embedding(row, numbers)?))
    })
    .collect()
}

fn lines(text: &str, model: &Description) -> Result<Vec<(PathBuf, Embedding)>, StoredError> {
    let lines = text.lines().enumerate();
    lines
        .map(|(row, line)| {
            let line: Line = serde_json::from_str(line).map_err(|_| StoredError::Foreign)?;
            if line.digest != model.digest {
                return Err(StoredError::OtherModel);
            }
            if line.embedding.len() != model.width {
                return Err(StoredError::Foreign);
            }
            Ok((line.path.to_path(), embedding(row, line.embedding)?))
        })
        .collect()
}

fn embedding(row: usize, numbers: Vec<f32>) -> Result<Embedding, StoredError> {
    Embedding::new(numbers).map_err(|err| StoredError::Invalid(row, err))
}
