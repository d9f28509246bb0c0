//! The embeddings of all images that a command names.

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use siamese_core::file::shown;
use siamese_core::score::Embedding;

use crate::cli::Failure;
use crate::cli::embed::stored;
use crate::cli::images::{Images, progress, read};

/// All images with their embeddings, in the order of their paths.
pub(super) struct Embedded {
    pub(super) paths: Vec<PathBuf>,
    /// The embedding of each path.
    pub(super) embeddings: Vec<Embedding>,
    /// A line for each file that has none.
    pub(super) unreadable: Vec<String>,
}

/// Embeds files, and reads those of stored embeddings.
///
/// Equal files are embedded once: the last bits of an embedding depend on the other images of its batch, and equal files
/// would not be equal.
pub(super) fn embedded(
    images: &Images,
    stored: &[PathBuf],
    mut files: Vec<PathBuf>,
) -> Result<Embedded, Failure> {
    let mut all = Vec::new();
    for path in stored {
        all.extend(stored::read(path, images.model())?);
    }
    files.sort();
    files.dedup();
    let copies = copies(files);
    let firsts: Vec<PathBuf> = copies.iter().map(|copies| copies[0].clone()).collect();
    let progress = progress(firsts.len(), true);
    let mut unreadable = Vec::new();
    let mut copies = copies.into_iter();
    images.embed(&firsts, |_, embedded| {
        progress.inc(1);
        let copies = copies.next().expect("a result for each first file");
        match embedded {
            Ok(image) => {
                all.extend(copies.into_iter().map(|path| (path, image.embedding.clone())));
            }
            Err(why) => {
                unreadable.extend(copies.iter().map(|path| format!("{}: {why}", shown(path))));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    progress.finish_and_clear();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.dedup_by(|(one, _), (other, _)| one == other);
    let (paths, embeddings) = all.into_iter().unzip();
    Ok(Embedded { paths, embeddings, unreadable })
}

/// Files with the same bytes, together. Only files whose size another file has are read.
fn copies(files: Vec<PathBuf>) -> Vec<Vec<PathBuf>> {
    let size = |path: &PathBuf| {
        fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
    };
    let sizes: Vec<Option<u64>> = files.iter().map(size).collect();
    let mut frequencies = HashMap::new();
    for size in &sizes {
        *frequencies.entry(*size).or_insert(0) += 1;
    }
    let mut copies: Vec<Vec<PathBuf>> = Vec::new();
    let mut places = HashMap::new();
    for (path, size) in files.into_iter().zip(sizes) {
        let is_read = size.is_some() && 1 < frequencies[&size];
        let digest = is_read.then(|| read(&path).ok()).flatten().map(Sha256::digest);
        let place =
            digest.map_or(copies.len(), |digest| *places.entry(digest).or_insert(copies.len()));
        if place == copies.len() {
            copies.push(Vec::new());
        }
        copies[place].push(path);
    }
    copies
}
