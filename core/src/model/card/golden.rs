//! Golden pairs: image pairs whose distances a model must reproduce wherever it runs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Embedded, ModelError};
use crate::preprocessing::{DecodeError, Limits, Pixels, Preprocessing};
use crate::score::InvalidEmbedding;

/// Small images, and the distances of some pairs of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The largest permitted difference from a stated distance.
    pub tolerance: f64,
    /// Complete image files in base64.
    pub images: Vec<String>,
    /// The pairs, by image index.
    pub pairs: Vec<GoldenPair>,
}

/// Two golden images and their distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenPair {
    /// Index of the first image.
    pub a: usize,
    /// Index of the second image.
    pub b: usize,
    /// The L2 distance of their embeddings.
    pub distance: f64,
}

/// Why the check of the golden pairs fails.
#[derive(Debug, Error)]
pub enum GoldenError {
    /// The stored pairs are invalid.
    #[error("the golden pairs are malformed: {0}")]
    Malformed(&'static str),
    /// A golden image can't be decoded.
    #[error("golden image {0} can't be read")]
    Image(usize, #[source] DecodeError),
    /// The model's output for one image is not an embedding.
    #[error("golden image {0} has no embedding")]
    Embedding(usize, #[source] InvalidEmbedding),
    /// The run failed.
    #[error("the model failed on the golden images")]
    Model(#[source] ModelError),
    /// A distance differs from the stored one by more than the tolerance.
    #[error(
        "the distance of golden pair {pair} is {found}, but must be {expected} within {tolerance}"
    )]
    Missed {
        /// Index of the pair.
        pair: usize,
        /// The stored distance.
        expected: f64,
        /// The distance measured here.
        found: f64,
        /// The stored tolerance.
        tolerance: f64,
    },
}

/// Golden pairs with decoded images, ready for repeated runs.
#[derive(Clone, Debug)]
pub struct GoldenCheck {
    pixels: Vec<Pixels>,
    pairs: Vec<GoldenPair>,
    tolerance: f64,
}

impl GoldenCheck {
    /// Decodes and preprocesses the images, and checks that the pairs refer to them.
    pub fn new(golden: &Golden, preprocessing: &Preprocessing) -> Result<Self, GoldenError> {
        let Golden { tolerance, images, pairs } = golden;
        if !(tolerance.is_finite() && 0.0 <= *tolerance) {
            return Err(GoldenError::Malformed(
                "the tolerance is not a finite number of at least 0",
            ));
        }
        if pairs.is_empty() {
            return Err(GoldenError::Malformed("there is no pair"));
        }
        if pairs.iter().any(|pair| images.len() <= pair.a.max(pair.b)) {
            return Err(GoldenError::Malformed("a pair refers to an image that does not exist"));
        }
        if pairs.iter().any(|pair| !(pair.distance.is_finite() && 0.0 <= pair.distance)) {
            return Err(GoldenError::Malformed("a distance is not a finite number of at least 0"));
        }
        let preprocess = |(index, text): (usize, &String)| {
            let bytes = BASE64
                .decode(text)
                .map_err(|_| GoldenError::Malformed("an image is not base64"))?;
            preprocessing
                .preprocess(&bytes, &Limits::default())
                .map_err(|err| GoldenError::Image(index, err))
        };
        let pixels = images.iter().enumerate().map(preprocess).collect::<Result<_, _>>()?;
        Ok(Self { pixels, pairs: pairs.clone(), tolerance: *tolerance })
    }

    /// Records the distance of two images as the one that the model must reproduce from now on.
    pub(in crate::model) fn record(
        pixels: Vec<Pixels>,
        embedded: &[Embedded],
    ) -> Result<Self, GoldenError> {
        /// Much larger than the noise from another batch size or thread count, and much smaller than the effect of
        /// other weights.
        const TOLERANCE: f64 = 1e-3;
        let [a, b] = embedded else {
            return Err(GoldenError::Malformed("the model skipped an image"));
        };
        let embedding = |index, embedded: &'_ Embedded| {
            embedded.clone().map_err(|err| GoldenError::Embedding(index, err))
        };
        let (a, b) = (embedding(0, a)?, embedding(1, b)?);
        let distance = a.distance(&b).get();
        let tolerance = TOLERANCE * distance.max(1.0);
        Ok(Self { pixels, pairs: vec![GoldenPair { a: 0, b: 1, distance }], tolerance })
    }

    /// The images' pixels, in order, for a run of the model.
    pub fn pixels(&self) -> &[Pixels] {
        &self.pixels
    }

    /// Compares embeddings of [`GoldenCheck::pixels`] with the stored distances. Returns the largest deviation.
    pub fn check(&self, embeddings: &[Embedded]) -> Result<f64, GoldenError> {
        let embedding = |index: usize| match embeddings.get(index) {
            Some(Ok(embedding)) => Ok(embedding),
            Some(Err(err)) => Err(GoldenError::Embedding(index, *err)),
            None => Err(GoldenError::Malformed("the model skipped an image")),
        };
        let mut largest: f64 = 0.0;
        for (index, pair) in self.pairs.iter().enumerate() {
            let found = embedding(pair.a)?.distance(embedding(pair.b)?).get();
            let deviation = (found - pair.distance).abs();
            if self.tolerance < deviation {
                let (expected, tolerance) = (pair.distance, self.tolerance);
                return Err(GoldenError::Missed { pair: index, expected, found, tolerance });
            }
            largest = largest.max(deviation);
        }
        Ok(largest)
    }
}
