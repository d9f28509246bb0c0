//! How much an image is like those that a model was calibrated on.
//!
//! A threshold, its error rates and its probabilities hold for images like those of the calibration. A model cannot say
//! from a distance alone that an image is of another kind: the embeddings of strangers lie among all others. So a
//! description of the calibration images is stored: the shape of the cloud that their [measurements](Example) form.
//! It contains no image and no name.

mod centres;
mod cloud;
mod fit;
mod stream;
mod written;

use serde::{Deserialize, Serialize};

use super::Embedding;
use centres::Centres;
use cloud::Cloud;

pub use fit::{Example, NotDescribed};
pub use stream::Stream;
pub use written::InvalidFamiliarity;
use written::Written;

/// An image with a lower familiarity is unlike the calibration images: 2 % of these have a lower one.
pub const UNFAMILIAR: f64 = 0.02;

/// A description of the images of a calibration, as a model sees them.
///
/// The familiarity of an image is the share of calibration images that are at least as unusual as it, so for an image
/// like those it is uniform in `(0, 1]`. *Unusual* is the squared Mahalanobis distance of its measurements from their
/// mean (P. C. Mahalanobis, *On the generalised distance in statistics*, 1936), and the share is a conformal p-value
/// (V. Vovk, A. Gammerman, G. Shafer, *Algorithmic Learning in a Random World*, 2005). Each calibration image was
/// measured by a description of the other identities, so the shares hold for identities that are new.
///
/// In JSON: `{"images": 400, "identities": 40, "tolerated": 0.41, "width": 128, "step": 0.002, "centres": BASE64,
/// "mean": BASE64, "whitening": BASE64, "unusual": BASE64}`. The centres are bytes with a sign, and the others `f32`
/// with the least byte first.
///
/// Invariant: all numbers are finite, the sizes match, and the work for one image is bounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Familiarity {
    images: u64,
    identities: u64,
    tolerated: f64,
    centres: Centres,
    cloud: Cloud,
    /// How unusual calibration images are, ascending: all of them, or an even selection.
    unusual: Vec<f32>,
}

impl Familiarity {
    /// The familiarity of an image, in `(0, 1]`: the share of calibration images that are at least as unusual.
    ///
    /// # Errors
    ///
    /// `None` if the embedding or the number of statistics is not of this model.
    pub fn of(&self, embedding: &Embedding, statistics: &[f32]) -> Option<f64> {
        if embedding.width() != self.width() || statistics.len() != self.statistics() {
            return None;
        }
        let unusual = self.cloud.unusual(&measured(&self.centres, embedding, statistics));
        Some(share_from(&self.unusual, unusual))
    }

    /// The number of coordinates of the model's embeddings.
    pub fn width(&self) -> usize {
        self.centres.width()
    }

    /// The number of statistics of an image.
    pub fn statistics(&self) -> usize {
        self.cloud.dimensions() - 1
    }

    /// The number of described images.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// The number of their identities.
    pub fn identities(&self) -> u64 {
        self.identities
    }

    /// The lowest mean familiarity of a stream of images like those of the calibration, in `[0.1, 0.45]`. The mean
    /// would be 0.5, but it is known only as well as the number of identities allows.
    pub fn tolerated(&self) -> f64 {
        self.tolerated
    }
}

/// The measurements of an image: how far its embedding is from the nearest centre, and its statistics.
fn measured(centres: &Centres, embedding: &Embedding, statistics: &[f32]) -> Vec<f64> {
    /// Below this squared distance, differences do not count.
    const NEAR: f64 = 1e-3;
    let nearest = centres.nearest_squared(&direction(embedding));
    let statistics = statistics.iter().map(|number| f64::from(*number));
    std::iter::once((nearest + NEAR).ln()).chain(statistics).collect()
}

/// The embedding at unit length; as it is if its length is 0.
fn direction(embedding: &Embedding) -> Vec<f32> {
    let length = embedding.length();
    let length = if 0.0 < length && length.is_finite() { length } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "back to the precision of a model")]
    let scaled = |coordinate: &f32| (f64::from(*coordinate) / length) as f32;
    embedding.coordinates().iter().map(scaled).collect()
}

/// The share of calibration images that are at least as unusual; the image itself counts as one of them.
fn share_from(ascending: &[f32], unusual: f64) -> f64 {
    // A value that is not a number is beyond all others.
    let below = ascending.partition_point(|other| f64::from(*other) < unusual || unusual.is_nan());
    super::scores::share(
        super::scores::count(1 + ascending.len() - below),
        super::scores::count(1 + ascending.len()),
    )
}

#[cfg(test)]
mod tests;
