//! Sources: what a request gives to be embedded.

use std::collections::HashMap;

use bytes::Bytes;
use siamese_core::model::{Description, Length};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;

use super::ItemError;

/// The largest deviation of a stored embedding's length from 1, for a model with unit length. Rounding to half
/// precision or to four digits deviates less.
const UNIT_TOLERANCE: f64 = 1e-3;

/// An image to embed, or an embedding that the client stored.
#[derive(Clone, Debug)]
pub enum Source {
    /// An image's bytes.
    Upload(Bytes),
    /// An image that the client preprocessed. It has the shape of the model's input.
    Pixels(Pixels),
    /// A stored embedding, and the digest of its model if it is given.
    Embedding(Embedding, Option<String>),
}

impl Source {
    /// Whether it has to be embedded: it is not a stored embedding.
    pub fn is_image(&self) -> bool {
        !matches!(self, Self::Embedding(..))
    }
}

/// Checks that a stored embedding can be one of this model's.
pub(super) fn check(
    model: &Description,
    embedding: Embedding,
    digest: Option<String>,
) -> Result<Embedding, ItemError> {
    let Description { digest: ours, width, .. } = model;
    if digest.is_some_and(|digest| digest != *ours) {
        return Err(ItemError::ModelMismatch(ours.clone()));
    }
    if embedding.width() != *width {
        return Err(ItemError::Width { found: embedding.width(), expected: *width });
    }
    let length = embedding.length();
    if model.card.length == Length::Unit && UNIT_TOLERANCE < (length - 1.0).abs() {
        return Err(ItemError::Length(length));
    }
    Ok(embedding)
}

/// The sources without repeated uploads, and the position of each source's result among them.
pub(super) fn distinct(sources: Vec<Source>) -> (Vec<Source>, Vec<usize>) {
    // For a pair, comparing the bytes is cheaper than hashing them.
    if let [a, b] = &sources[..] {
        let (Source::Upload(a), Source::Upload(b)) = (a, b) else { return (sources, vec![0, 1]) };
        if a != b {
            return (sources, vec![0, 1]);
        }
    }
    let mut first = HashMap::new();
    let mut unique = Vec::with_capacity(sources.len());
    let mut positions = Vec::with_capacity(sources.len());
    for source in sources {
        let position = match &source {
            Source::Upload(upload) => *first.entry(upload.clone()).or_insert(unique.len()),
            Source::Pixels(_) | Source::Embedding(..) => unique.len(),
        };
        positions.push(position);
        if position == unique.len() {
            unique.push(source);
        }
    }
    (unique, positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_distinct(uploads: &[&'static str], unique: usize, positions: &[usize]) {
        let sources =
            uploads.iter().map(|upload| Source::Upload(Bytes::from_static(upload.as_bytes())));
        let (sources, found) = distinct(sources.collect());
        assert_eq!((sources.len(), &found[..]), (unique, positions), "{uploads:?}");
    }

    #[test]
    fn equal_uploads_are_embedded_once() {
        check_distinct(&[], 0, &[]);
        check_distinct(&["a"], 1, &[0]);
        check_distinct(&["a", "b"], 2, &[0, 1]);
        check_distinct(&["a", "a"], 1, &[0, 0]);
        check_distinct(&["a", "b", "a", "c", "b"], 3, &[0, 1, 0, 2, 1]);
    }

    #[test]
    fn stored_embeddings_are_never_combined() {
        let stored = || Source::Embedding(Embedding::new([1.0]).expect("a point"), None);
        let (sources, positions) = distinct(vec![stored(), stored(), stored()]);
        assert_eq!((sources.len(), positions), (3, vec![0, 1, 2]));
    }
}
