//! Errors of an adoption. Each message is one line and says what to do.

use std::io;
use std::path::PathBuf;

use siamese_core::model::{InvalidDetector, LoadError, NotOnnx};
use siamese_core::score::InvalidEmbedding;
use thiserror::Error;

use crate::data::DataError;
use crate::evaluate::EmbeddedError;
use crate::export::ExportError;
use crate::statistics::NotComparable;

/// A network could not be adopted.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// The file cannot be read.
    #[error("{} cannot be read or written", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file with external weights cannot be read.
    #[error("the external weights {} cannot be read: they must be in the folder of the network or below it", .path.display())]
    Weights {
        /// The file with the weights.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file is not an ONNX file.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// ONNX Runtime rejects the file, or it does not match the options.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The inputs and outputs are not those of a model.
    #[error("{} cannot be used as a model: {why}", .path.display())]
    Unsuitable {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        why: Unsuitable,
    },
    /// The network reads bytes, and the preprocessing changes them.
    #[error("{} cannot be used with this preprocessing: {why}", .path.display())]
    Bytes {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        why: &'static str,
    },
    /// The output is random.
    #[error(
        "two runs on the same image give embeddings that differ by {0:.1e} of their length: the network is random, as \
         with dropout in training mode; call model.eval() before the export"
    )]
    Random(f64),
    /// The output depends on the other images of the batch.
    #[error(
        "the other images of a batch change an embedding by {0:.1e} of its length, as with batch norm in training mode: \
         call model.eval() before the export"
    )]
    BatchDependent(f64),
    /// The output for an image is not an embedding.
    #[error(
        "the network's output for an image is not an embedding: check its weights and the options of the preprocessing"
    )]
    Output(#[source] InvalidEmbedding),
    /// The images cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network fails on the images.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The face detector can't be used.
    #[error("the face detector can't be used")]
    Detector(#[source] InvalidDetector),
    /// The network fails on the golden images, or gives them the same embedding.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The images cannot be compared.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
}

/// The reason why a network cannot be used as a model, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsuitable {
    /// The network has several inputs.
    #[error(
        "it has {} inputs ({}), but a model has one: export the part of the network that embeds one image, \
         not the pair", .0.len(), .0.join(", ")
    )]
    Inputs(Vec<String>),
    /// The network has several outputs.
    #[error(
        "it has {} outputs ({}), but a model has only the embedding: export that output alone",
        .0.len(), .0.join(", ")
    )]
    Outputs(Vec<String>),
    /// The input has another element type.
    #[error(
        "its input is {0}, but a model's is f32 or u8: export it in single precision (model.float(), a float input)"
    )]
    InputElement(String),
    /// The output has another element type.
    #[error(
        "its output is {0}, but a model's is f32: export it in single precision (model.float())"
    )]
    OutputElement(String),
    /// The output is whole numbers.
    #[error(
        "its output is {0}, so it is whole numbers such as classes, and not an embedding: export the layer before them"
    )]
    WholeNumbers(String),
    /// The output is one number for each image.
    #[error(
        "its output has shape {0}: one number for each image, such as a score, and not an embedding; export the layer \
         before it"
    )]
    OneNumber(String),
    /// The input does not have four axes.
    #[error(
        "its input has shape {0}, but a model's is [n, channels, height, width] or [n, height, width, channels]: export it \
         for batches of images"
    )]
    InputRank(String),
    /// The input is neither grey nor colour.
    #[error(
        "its input has shape {0}, but an image has 1 or 3 channels, after the batch or in the last place"
    )]
    Channels(String),
    /// The requested colour has another number of channels.
    #[error(
        "its input has {found} channels, but --colour {colour} has {requested}: give another --colour"
    )]
    Colour {
        /// The number of channels in the file.
        found: u64,
        /// The requested colour.
        colour: String,
        /// The number of channels of the requested colour.
        requested: u64,
    },
    /// The size is unknown.
    #[error(
        "its input has shape {0}, which does not fix the size: give the size it was trained with, such as --input 112x112"
    )]
    NoSize(String),
    /// The requested size is another one.
    #[error(
        "its input is {found} pixels (height x width), not {requested}: omit --input, or export it with dynamic height and width"
    )]
    Size {
        /// The size in the file.
        found: String,
        /// The requested size.
        requested: String,
    },
    /// The batch size is fixed.
    #[error(
        "its batch size is fixed at {0}: export it with a dynamic batch axis (torch: dynamic_shapes, or dynamic_axes with \
         dynamo=False)"
    )]
    Batch(u64),
    /// The output is not one vector per image.
    #[error(
        "its output has shape {0}, but a model's is [n, width]: flatten it before the export (torch.flatten(x, 1))"
    )]
    OutputRank(String),
}
