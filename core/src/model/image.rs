//! An image before and after a run of a model.

use super::{Description, Face};
use crate::preprocessing::{Pixels, Planes};
use crate::score::Embedding;

/// An image that is ready for a model.
#[derive(Clone, Debug)]
pub struct Input {
    /// The model's input.
    pub pixels: Pixels,
    /// The face on the pixels; `None` if the model embeds whole images.
    pub face: Option<Face>,
    /// The statistics of the pixels; `None` if the model does not describe the images of its calibration.
    pub statistics: Option<Vec<f32>>,
}

/// An image's embedding, and what is known of the image.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedImage {
    /// The embedding.
    pub embedding: Embedding,
    /// The face that was embedded; `None` if the model embeds whole images, or if the client stored the embedding.
    pub face: Option<Face>,
    /// How much the image is like those of the calibration, in `(0, 1]`; `None` if the model does not describe these, or
    /// if the client stored the embedding.
    pub familiarity: Option<f64>,
}

impl Input {
    /// Scales planes to the input of a model. `face` is the one on the planes.
    pub fn of(model: &Description, planes: &Planes, face: Option<Face>) -> Self {
        let preprocessing = &model.card.preprocessing;
        let pixels = preprocessing.pixels(planes);
        let described = model.card.familiarity.as_ref();
        let statistics = described.map(|_| preprocessing.statistics(&pixels));
        Self { pixels, face, statistics }
    }
}
