//! What is to be embedded.

use std::collections::HashMap;

use bytes::Bytes;
use siamese_core::model::{Description, Length};
use siamese_core::score::Embedding;

use super::ItemError;

/// How far from 1 the length of a stored embedding may be where the model's are of unit length: half precision, or four
/// digits, are no further off.
const UNIT_TOLERANCE: f64 = 1e-3;

/// What a client gives to be embedded, or already has.
#[derive(Clone, Debug)]
pub enum Source {
    /// An image's bytes.
    Upload(Bytes),
    /// A stored embedding, and the digest of the model that made it, where it is told.
    Embedding(Embedding, Option<String>),
}

/// Finds out whether a stored embedding can be one of this model's.
pub(super) fn check(
    tower: &Description,
    embedding: Embedding,
    digest: Option<String>,
) -> Result<Embedding, ItemError> {
    let Description { digest: ours, width, .. } = tower;
    if digest.is_some_and(|digest| digest != *ours) {
        return Err(ItemError::ModelMismatch(ours.clone()));
    }
    if embedding.width() != *width {
        return Err(ItemError::Width { found: embedding.width(), expected: *width });
    }
    let length = embedding.length();
    if tower.card.length == Length::Unit && UNIT_TOLERANCE < (length - 1.0).abs() {
        return Err(ItemError::Length(length));
    }
    Ok(embedding)
}

/// The sources without those uploads that were there before, and where the outcome of each will stand.
pub(super) fn distinct(sources: Vec<Source>) -> (Vec<Source>, Vec<usize>) {
    // A digest of all bytes would cost a pair more than a look at the first that differ.
    if let [a, b] = &sources[..] {
        let (Source::Upload(a), Source::Upload(b)) = (a, b) else { return (sources, vec![0, 1]) };
        if a != b {
            return (sources, vec![0, 1]);
        }
    }
    let mut first = HashMap::new();
    let mut left = Vec::with_capacity(sources.len());
    let mut positions = Vec::with_capacity(sources.len());
    for source in sources {
        let position = match &source {
            Source::Upload(upload) => *first.entry(upload.clone()).or_insert(left.len()),
            Source::Embedding(..) => left.len(),
        };
        positions.push(position);
        if position == left.len() {
            left.push(source);
        }
    }
    (left, positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_distinct(uploads: &[&'static str], left: usize, positions: &[usize]) {
        let sources =
            uploads.iter().map(|upload| Source::Upload(Bytes::from_static(upload.as_bytes())));
        let (sources, found) = distinct(sources.collect());
        assert_eq!((sources.len(), &found[..]), (left, positions), "{uploads:?}");
    }

    #[test]
    fn equal_uploads_are_one() {
        check_distinct(&[], 0, &[]);
        check_distinct(&["a"], 1, &[0]);
        check_distinct(&["a", "b"], 2, &[0, 1]);
        check_distinct(&["a", "a"], 1, &[0, 0]);
        check_distinct(&["a", "b", "a", "c", "b"], 3, &[0, 1, 0, 2, 1]);
    }

    #[test]
    fn stored_embeddings_each_stand_for_themselves() {
        let stored = || Source::Embedding(Embedding::new([1.0]).expect("a point"), None);
        let (sources, positions) = distinct(vec![stored(), stored(), stored()]);
        assert_eq!((sources.len(), positions), (3, vec![0, 1, 2]));
    }
}
