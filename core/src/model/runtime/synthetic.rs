//! Generated images: for the first runs of a model, and to find a model that maps everything to one point.

use crate::model::Embedded;
use crate::preprocessing::{DecodeError, Limits, Pixels, Preprocessing};
use crate::score::Embedding;

/// The largest distance that rounding explains, as a share of an embedding's length.
const NOISE: f64 = 1e-5;

/// The colour of an image at a row and a column, both in `[0, 1)`.
type Draw = fn(row: f64, column: f64) -> [u8; 3];

/// Images that differ in brightness, colour, shape and texture: a model that sees any of these tells some of them apart.
const VARIED: [Draw; 8] = [
    |_, _| [0; 3],
    |_, _| [255; 3],
    |_, _| [200, 40, 30],
    |_, _| [30, 60, 210],
    |_, column| [if column < 0.5 { 20 } else { 235 }; 3],
    |row, _| [byte(row); 3],
    |row, column| [if is_odd(8.0 * row) == is_odd(8.0 * column) { 230 } else { 25 }; 3],
    |row, column| {
        [17.0, 31.0, 43.0].map(|turns| byte((turns * (row + 7.0 * column * column)).fract()))
    },
];

/// Preprocesses a grey image of steep waves, a different one for each seed: a plain PNM goes through the usual path.
pub(super) fn waves(preprocessing: &Preprocessing, seed: u32) -> Result<Pixels, DecodeError> {
    let Preprocessing { height, width, .. } = *preprocessing;
    let mut upload = format!("P5 {width} {height} 255\n").into_bytes();
    let byte =
        |row: u32, column: u32| (row * (7 + 4 * seed) + column * (5 + 6 * seed)).to_le_bytes()[0];
    upload.extend((0..height).flat_map(|row| (0..width).map(move |column| byte(row, column))));
    preprocessing.preprocess(&upload, &Limits::default())
}

/// Preprocesses the [varied](VARIED) images.
pub(super) fn varied(preprocessing: &Preprocessing) -> Result<Vec<Pixels>, DecodeError> {
    VARIED.into_iter().map(|draw| drawn(preprocessing, draw)).collect()
}

/// Whether some of the embeddings differ by more than rounding. Images without an embedding do not count; true if that
/// leaves fewer than two.
pub(super) fn differ(embedded: &[Embedded]) -> bool {
    let mut embeddings = embedded.iter().flatten();
    let Some(first) = embeddings.next() else { return true };
    let others: Vec<&Embedding> = embeddings.collect();
    let differs = |other: &&Embedding| {
        NOISE * first.length().max(other.length()) < first.distance(other).get()
    };
    others.is_empty() || others.iter().any(differs)
}

fn drawn(preprocessing: &Preprocessing, draw: Draw) -> Result<Pixels, DecodeError> {
    let Preprocessing { height, width, .. } = *preprocessing;
    let mut upload = format!("P6 {width} {height} 255\n").into_bytes();
    let share = |place: u32, side: u32| f64::from(place) / f64::from(side);
    for row in 0..height {
        upload.extend((0..width).flat_map(|column| draw(share(row, height), share(column, width))));
    }
    preprocessing.preprocess(&upload, &Limits::default())
}

fn byte(share: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 255 is a byte"
    )]
    let byte = (255.0 * share) as u8;
    byte
}

fn is_odd(place: f64) -> bool {
    1.0 <= place % 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::InvalidEmbedding;

    #[track_caller]
    fn check(embeddings: &[Result<[f32; 2], InvalidEmbedding>], expected: bool) {
        let embedding = |embedding: &Result<[f32; 2], _>| {
            embedding.and_then(|coordinates| Embedding::new(coordinates.to_vec()))
        };
        let embedded: Vec<Embedded> = embeddings.iter().map(embedding).collect();
        assert_eq!(differ(&embedded), expected, "{embeddings:?}");
    }

    #[test]
    fn embeddings_differ_if_rounding_does_not_explain_their_distance() {
        check(&[Ok([3.0, 4.0]), Ok([3.0, 4.0])], false);
        check(&[Ok([3.0, 4.0]), Ok([3.000_002, 4.0])], false);
        check(&[Ok([3.0, 4.0]), Ok([3.0, 4.0]), Ok([3.001, 4.0])], true);
        check(&[Ok([0.0, 0.0]), Ok([0.0, 0.0])], false);
        check(&[Ok([0.0, 0.0]), Ok([1e-9, 0.0])], true);
    }

    #[test]
    fn images_without_an_embedding_do_not_count() {
        check(&[Err(InvalidEmbedding::NotFinite(0)), Ok([1.0, 0.0])], true);
        check(&[Err(InvalidEmbedding::NotFinite(0)), Ok([1.0, 0.0]), Ok([1.0, 0.0])], false);
    }
}
