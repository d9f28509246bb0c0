//! Models: the card, the runs, and the check that the model behaves here as it did where it was made.
//!
//! This is the only module that names ONNX Runtime. It knows nothing of HTTP or batching.
//!
//! `source` reads the files, `card` parses their metadata, and `runtime` runs the model.

pub mod card;
mod description;
mod faces;
mod load_error;
mod preprocessor;
mod runtime;
mod source;

use thiserror::Error;

pub use card::{
    Align, Card, CardError, Drift, Golden, GoldenCheck, GoldenError, GoldenPair, HeldOut, Length,
    Statement, WeightKind, Weights, sidecar_values,
};
pub use description::{Description, Signature};
pub use faces::{Choice, Detector, Face, InvalidDetector, UnknownChoice};
pub use load_error::LoadError;
pub use preprocessor::{Finer, Finished, Preprocessor};
pub use runtime::{
    ConvolutionSearch, Cuda, Device, Element, Layout, LibraryError, OnnxModel, Options, Outline,
    Port, Provider, UnknownDevice, forbid_telemetry,
};
pub use source::protobuf::NotOnnx;
pub use source::{EMBEDDING, Source, onnx, protobuf, rewrite};

use crate::preprocessing::Pixels;
use crate::score::{Embedding, InvalidEmbedding};

/// The model's result for one image: an embedding, or the reason why the output is not one.
pub type Embedded = Result<Embedding, InvalidEmbedding>;

/// One tower of a siamese network: turns preprocessed images into embeddings.
///
/// `embed` takes `&mut self` because an ONNX Runtime session serves one caller at a time. Ownership guarantees that,
/// so no lock is needed.
pub trait Model: Send + 'static {
    /// Embeds `images` and returns one result for each, in order.
    ///
    /// If the output for one image is not finite, only that image's result is an error.
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError>;

    /// Opens the session again from the files, and discards all state of the old one.
    fn renew(&mut self) -> Result<(), LoadError>;
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
}
