//! Known pairs: what a tower must say of them, wherever it runs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Embedded, TowerError};
use crate::picture::{Limits, PictureError, Pixels, Preparation};
use crate::score::InvalidEmbedding;

/// Tiny pictures, and the distances of some pairs of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// How far a distance may be from the one stated here.
    pub tolerance: f64,
    /// Whole picture files, base64.
    pub pictures: Vec<String>,
    /// Pairs of them.
    pub pairs: Vec<GoldenPair>,
}

/// Two golden pictures, by their index, and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenPair {
    /// Index of the one.
    pub a: usize,
    /// Index of the other.
    pub b: usize,
    /// The L2 distance of their embeddings.
    pub distance: f64,
}

/// Why a tower fails its golden pairs.
#[derive(Debug, Error)]
pub enum GoldenError {
    /// The pairs themselves make no sense.
    #[error("the golden pairs are malformed: {0}")]
    Malformed(&'static str),
    /// A golden picture is none.
    #[error("golden picture {0} can't be read")]
    Picture(usize, #[source] PictureError),
    /// The tower gave no embedding for one.
    #[error("golden picture {0} has no embedding")]
    Embedding(usize, #[source] InvalidEmbedding),
    /// The tower did not run.
    #[error("the tower failed on the golden pictures")]
    Tower(#[source] TowerError),
    /// A distance is not what it was where the tower was made.
    #[error("the distance of golden pair {pair} is {found}, not {expected} within {tolerance}")]
    Missed {
        /// Index of the pair.
        pair: usize,
        /// The distance stated.
        expected: f64,
        /// The distance found here.
        found: f64,
        /// The tolerance stated.
        tolerance: f64,
    },
}

/// Golden pairs made ready to be run again and again.
#[derive(Clone, Debug)]
pub struct GoldenCheck {
    pixels: Vec<Pixels>,
    pairs: Vec<GoldenPair>,
    tolerance: f64,
}

/// One run of a tower.
pub(in crate::model) trait Embed:
    FnOnce(&[Pixels]) -> Result<Vec<Embedded>, TowerError>
{
}

impl<F: FnOnce(&[Pixels]) -> Result<Vec<Embedded>, TowerError>> Embed for F {}

impl GoldenCheck {
    /// Decodes and prepares the pictures, and checks that the pairs are of them.
    pub fn new(golden: &Golden, preparation: &Preparation) -> Result<Self, GoldenError> {
        let Golden { tolerance, pictures, pairs } = golden;
        if !(tolerance.is_finite() && 0.0 <= *tolerance) {
            return Err(GoldenError::Malformed("the tolerance is no finite number of at least 0"));
        }
        if pairs.is_empty() {
            return Err(GoldenError::Malformed("there is no pair"));
        }
        if pairs.iter().any(|it| pictures.len() <= it.a.max(it.b)) {
            return Err(GoldenError::Malformed("a pair names a picture that is not there"));
        }
        if pairs.iter().any(|it| !(it.distance.is_finite() && 0.0 <= it.distance)) {
            return Err(GoldenError::Malformed("a distance is no finite number of at least 0"));
        }
        let prepare = |(index, text): (usize, &String)| {
            let bytes = BASE64
                .decode(text)
                .map_err(|_| GoldenError::Malformed("a picture is not base64"))?;
            preparation
                .prepare(&bytes, &Limits::default())
                .map_err(|err| GoldenError::Picture(index, err))
        };
        let pixels = pictures.iter().enumerate().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { pixels, pairs: pairs.clone(), tolerance: *tolerance })
    }

    /// Takes what a tower says of two pictures now as what it must go on saying.
    pub(in crate::model) fn record(
        pixels: Vec<Pixels>,
        embed: impl Embed,
    ) -> Result<Self, GoldenError> {
        /// Far above the noise of another batch or thread count, far below any other weights.
        const TOLERANCE: f64 = 1e-3;
        let embeddings = embed(&pixels).map_err(GoldenError::Tower)?;
        let [Ok(a), Ok(b)] = embeddings.as_slice() else {
            return Err(GoldenError::Malformed("the tower gives no embedding of a made picture"));
        };
        let distance = a.distance(b).get();
        let tolerance = TOLERANCE * distance.max(1.0);
        Ok(Self { pixels, pairs: vec![GoldenPair { a: 0, b: 1, distance }], tolerance })
    }

    /// The pictures' pixels, in their order, to be embedded.
    pub fn pixels(&self) -> &[Pixels] {
        &self.pixels
    }

    /// Holds embeddings of [`GoldenCheck::pixels`] against the distances stated; tells the largest deviation.
    pub fn hold(&self, embeddings: &[Embedded]) -> Result<f64, GoldenError> {
        let at = |index: usize| match embeddings.get(index) {
            Some(Ok(embedding)) => Ok(embedding),
            Some(Err(err)) => Err(GoldenError::Embedding(index, *err)),
            None => Err(GoldenError::Malformed("the tower skipped a picture")),
        };
        let mut largest: f64 = 0.0;
        for (pair, it) in self.pairs.iter().enumerate() {
            let found = at(it.a)?.distance(at(it.b)?).get();
            let deviation = (found - it.distance).abs();
            if self.tolerance < deviation {
                let (expected, tolerance) = (it.distance, self.tolerance);
                return Err(GoldenError::Missed { pair, expected, found, tolerance });
            }
            largest = largest.max(deviation);
        }
        Ok(largest)
    }

    /// Runs the pairs through a tower; tells the largest deviation.
    pub(in crate::model) fn run(&self, embed: impl Embed) -> Result<f64, GoldenError> {
        self.hold(&embed(&self.pixels).map_err(GoldenError::Tower)?)
    }
}
