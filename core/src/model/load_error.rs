//! Why a model can't be loaded.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{CardError, GoldenError, InvalidDetector, LibraryError, ModelError, NotOnnx};
use crate::preprocessing::DecodeError;
use crate::score::InvalidEmbedding;

/// Why a model can't be loaded. Each message is a sentence that names the file.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No ONNX Runtime library is available.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The model file, its sidecar or a file of its weights can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The model's files changed during each attempt to read them.
    #[error("{} and its sidecar or weight files changed while they were being read", .path.display())]
    Unsteady {
        /// The model's file.
        path: PathBuf,
    },
    /// The file is not an ONNX file.
    #[error("{} can't be read as a model", .path.display())]
    NotOnnx {
        /// The model's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NotOnnx,
    },
    /// ONNX Runtime rejects the model.
    #[error("{} is not an ONNX model that ONNX Runtime can load", .path.display())]
    NoModel {
        /// The model's file.
        path: PathBuf,
        /// The error from ONNX Runtime.
        #[source]
        source: ort::Error,
    },
    /// A GPU is required but not available.
    #[error(
        "{} can't run on the required GPU: it needs an NVIDIA driver, CUDA 12 or 13, cuDNN 9 and the library of the \
         Python package onnxruntime-gpu (set ORT_DYLIB_PATH to it); otherwise set the device to prefer-gpu or cpu",
        .path.display()
    )]
    NoGpu {
        /// The model's file.
        path: PathBuf,
        /// The error from ONNX Runtime.
        #[source]
        source: ort::Error,
    },
    /// There is no card: neither metadata nor a sidecar.
    #[error(
        "{} has no siamese metadata; create {} with at least `input = \"112x112\"` (height and width of \
         the input) and `colour = \"grey\"` or `\"rgb\"`; add scale, mean, std, fit, embedding, margin and \
         threshold as used in training",
        .path.display(), .sidecar.display()
    )]
    NoCard {
        /// The model's file.
        path: PathBuf,
        /// The sidecar's path.
        sidecar: PathBuf,
    },
    /// There are two cards: metadata and a sidecar.
    #[error("{} has siamese metadata, so remove its sidecar {}", .path.display(), .sidecar.display())]
    TwoCards {
        /// The model's file.
        path: PathBuf,
        /// The sidecar.
        sidecar: PathBuf,
    },
    /// The sidecar is not TOML.
    #[error("{} is not valid TOML", .sidecar.display())]
    Sidecar {
        /// The sidecar.
        sidecar: PathBuf,
        /// The position of the error.
        #[source]
        source: toml::de::Error,
    },
    /// The card is invalid.
    #[error("{} is not a valid model card", .path.display())]
    Card {
        /// The model's file, or its sidecar.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CardError,
    },
    /// The shape of the input or output is unsuitable.
    #[error("{} can't be used as a model: {why}", .path.display())]
    Shape {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The face detector of the card can't be used.
    #[error("{} has a face detector that can't be used", .path.display())]
    Detector {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: InvalidDetector,
    },
    /// The input's size is invalid for images.
    #[error("{} has an input size that no image can be resized to", .path.display())]
    Input {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// The file has changed since the model was loaded.
    #[error("{} has changed since it was loaded", .path.display())]
    Changed {
        /// The model's file.
        path: PathBuf,
    },
    /// The test run at load failed.
    #[error("{} can't be run", .path.display())]
    Run {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// The output of the test run at load is not an embedding.
    #[error(
        "{} can't be used as a model: its output for a test image is not an embedding; check its weights and its \
         preprocessing",
        .path.display()
    )]
    Output {
        /// The model's file.
        path: PathBuf,
        /// What is wrong with the output.
        #[source]
        source: InvalidEmbedding,
    },
    /// The distances of the golden pairs are not those stored with the model.
    #[error("{} fails the check of its golden pairs", .path.display())]
    Golden {
        /// The model's file.
        path: PathBuf,
        /// Which pair, and the difference.
        #[source]
        source: GoldenError,
    },
    /// The model gives clearly different images the same embedding.
    #[error(
        "{} gives clearly different images the same embedding, so it would call every pair same: export the trained \
         weights, and state scale, mean, std and embedding as used in training",
        .path.display()
    )]
    Collapsed {
        /// The model's file.
        path: PathBuf,
    },
}
