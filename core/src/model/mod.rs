//! Models: the card, the runs, and the check that the model behaves here as it did where it was made.
//!
//! This is the only module that names ONNX Runtime. It knows nothing of HTTP or batching.
//!
//! `source` reads the files, `card` parses their metadata, and `runtime` runs the model.

pub mod card;
mod description;
mod faces;
mod image;
mod load_error;
mod preprocessor;
mod runtime;
mod source;

use thiserror::Error;

pub use card::{
    Align, Card, CardError, Drift, Golden, GoldenCheck, GoldenError, GoldenPair, HeldOut, Length,
    MeasuredReduction, Statement, WeightKind, Weights, sidecar_values,
};
pub use description::{Description, Signature};
pub use faces::{Choice, Detector, Face, InvalidDetector, UnknownChoice};
pub use image::{EmbeddedImage, Input};
pub use load_error::LoadError;
pub use preprocessor::{Finer, Finished, Preprocessor};
pub use runtime::{
    ConvolutionSearch, Cuda, Device, Element, Layout, LibraryError, OnnxModel, Options, Outline,
    Port, Provider, UnknownDevice, forbid_telemetry,
};
pub use source::protobuf::NotOnnx;
pub use source::{EMBEDDING, LARGEST_COPY, MAP, Source, onnx, protobuf, rewrite};

use crate::preprocessing::Pixels;
use crate::score::{Embedding, InvalidEmbedding, InvalidMap, Map};

/// The model's result for one image: an embedding, or the reason why the output is not one.
pub type Embedded = Result<Embedding, InvalidEmbedding>;

/// The model's map of one image, or the reason why the output is not one.
pub type Mapped = Result<Map, InvalidMap>;

/// One tower of a siamese network: turns preprocessed images into embeddings.
///
/// `embed` takes `&mut self` because an ONNX Runtime session serves one caller at a time. Ownership guarantees that,
/// so no lock is needed.
pub trait Model: Send + 'static {
    /// Embeds `images` and returns one result for each, in order.
    ///
    /// If the output for one image is not finite, only that image's result is an error.
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError>;

    /// Computes the map of each image, in order. A model without a map sees each image as one place.
    ///
    /// If the output for one image is not finite, only that image's result is an error.
    fn map(&mut self, images: &[Pixels]) -> Result<Vec<Mapped>, ModelError> {
        Ok(self.embed(images)?.into_iter().map(one_place).collect())
    }

    /// Opens the session again from the files, and discards all state of the old one.
    fn renew(&mut self) -> Result<(), LoadError>;
}

/// A map of one place, which is the embedding of the image.
fn one_place(embedded: Embedded) -> Mapped {
    Map::new(1, 1, embedded?.coordinates())
}

/// Why a run failed for all of its images.
#[derive(Debug, Error)]
pub enum ModelError {
    /// ONNX Runtime refused or failed.
    #[error("the model's run failed")]
    Run(#[source] ort::Error),
    /// The output's shape differs from the shape at load.
    #[error("the model's output has shape {found:?}, not [{images}, {width}]")]
    Shape {
        /// Images in the run.
        images: usize,
        /// The embedding's width, as loaded.
        width: usize,
        /// The output's shape.
        found: Vec<i64>,
    },
    /// The shape of the map is not `[n, width, rows, columns]`, or differs from the shape at load.
    #[error("the model's map has shape {found:?}, not [{images}, {}, {}, {}]", shape[0], shape[1], shape[2])]
    Map {
        /// Images in the run.
        images: usize,
        /// The map's width, rows and columns, as loaded; zeros while it is loaded.
        shape: [usize; 3],
        /// The map's shape.
        found: Vec<i64>,
    },
}
