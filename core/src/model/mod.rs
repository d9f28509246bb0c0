//! The tower: its card, its runs, and the proof that it does here what it did where it was made.
//!
//! The one module that names ONNX Runtime. Nothing here knows HTTP or batching.
//!
//! `source` reads the files, `card` is what they say of the tower, and `runtime` runs it.

pub mod card;
mod description;
mod load_error;
mod runtime;
mod source;

use thiserror::Error;

pub use card::{
    Card, CardError, Drift, Golden, GoldenCheck, GoldenError, GoldenPair, Length, WeightKind,
    Weights, sidecar_values,
};
pub use description::{Description, Signature};
pub use load_error::LoadError;
pub use runtime::{
    ConvolutionSearch, Cuda, Device, LibraryError, OnnxTower, Options, Outline, Port, Provider,
    UnknownDevice, forbid_telemetry,
};
pub use source::protobuf::NotOnnx;
pub use source::{Source, onnx, protobuf, rewrite};

use crate::picture::Pixels;
use crate::score::{Embedding, InvalidEmbedding};

/// What a tower makes of one picture: an embedding, or the reason why its output is none.
pub type Embedded = Result<Embedding, InvalidEmbedding>;

/// One half of a siamese network: turns prepared pictures into embeddings.
///
/// `embed` takes `&mut self` because an ONNX Runtime session serves one caller at a time.
/// Ownership, not a lock, keeps that promise: whoever runs a tower owns it.
pub trait Tower: Send + 'static {
    /// Embeds `pictures`, giving one answer for each, in order.
    ///
    /// A picture whose output is not finite spoils its own answer alone.
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError>;

    /// Begins anew, with nothing kept of what may have been left half done.
    fn renew(&mut self) -> Result<(), LoadError>;
}

/// Why a tower gave no answer at all.
#[derive(Debug, Error)]
pub enum TowerError {
    /// ONNX Runtime refused or failed.
    #[error("the tower's run failed")]
    Run(#[source] ort::Error),
    /// Its output has not the shape it had when it was loaded.
    #[error("the tower's output has shape {found:?}, not [{pictures}, {width}]")]
    Shape {
        /// Pictures in the run.
        pictures: usize,
        /// The embedding's width, as loaded.
        width: usize,
        /// The output's shape.
        found: Vec<i64>,
    },
}
