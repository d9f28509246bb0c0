//! Why a file can't serve as a model.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{CardError, GoldenError, LibraryError, ModelError, NotOnnx};
use crate::preprocessing::DecodeError;

/// Why a file can't serve as a model. Each message is a sentence with the file in it.
#[derive(Debug, Error)]
pub enum LoadError {
    /// There is no ONNX Runtime to run it.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The file, the sidecar beside it, or a file of its weights can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its files were exchanged while they were read, again and again.
    #[error("{} and the files beside it were exchanged while they were read", .path.display())]
    Unsteady {
        /// The model's file.
        path: PathBuf,
    },
    /// It is no ONNX file.
    #[error("{} can't be read as a model", .path.display())]
    NotOnnx {
        /// The model's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NotOnnx,
    },
    /// ONNX Runtime does not take it.
    #[error("{} is no ONNX model that ONNX Runtime takes", .path.display())]
    NoModel {
        /// The model's file.
        path: PathBuf,
        /// What ONNX Runtime says.
        #[source]
        source: ort::Error,
    },
    /// A GPU is required, and can't be had.
    #[error(
        "{} can't run on a GPU, which is required: an NVIDIA driver, CUDA 12 or 13, cuDNN 9 and the library of the \
         Python package onnxruntime-gpu (named by ORT_DYLIB_PATH) are needed; or set the device to prefer-gpu or cpu",
        .path.display()
    )]
    NoGpu {
        /// The model's file.
        path: PathBuf,
        /// What ONNX Runtime says.
        #[source]
        source: ort::Error,
    },
    /// Nothing says how to use it.
    #[error(
        "{} carries no siamese metadata; write {} beside it, with at least `input = \"112x112\"` (height and width of \
         its images) and `colour = \"grey\"` or `\"rgb\"`, then scale, mean, std, fit, embedding, margin and \
         threshold as it was trained with",
        .path.display(), .sidecar.display()
    )]
    NoCard {
        /// The model's file.
        path: PathBuf,
        /// The file that could say it.
        sidecar: PathBuf,
    },
    /// Two places say how to use it.
    #[error("{} carries siamese metadata, so {} beside it must go", .path.display(), .sidecar.display())]
    TwoCards {
        /// The model's file.
        path: PathBuf,
        /// The file beside it.
        sidecar: PathBuf,
    },
    /// The sidecar is no TOML.
    #[error("{} is no TOML", .sidecar.display())]
    Sidecar {
        /// The sidecar.
        sidecar: PathBuf,
        /// Where it breaks.
        #[source]
        source: toml::de::Error,
    },
    /// What it says of itself can't be.
    #[error("{} does not describe a model", .path.display())]
    Card {
        /// The model's file, or its sidecar.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CardError,
    },
    /// Its input or output is not what a model has.
    #[error("{} is no model: {why}", .path.display())]
    Shape {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No image can be made to fit its input.
    #[error("{} has an input that no image fits", .path.display())]
    Input {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// It is not the file any more that it was.
    #[error("{} has changed since it was loaded", .path.display())]
    Changed {
        /// The model's file.
        path: PathBuf,
    },
    /// It does not run.
    #[error("{} does not run", .path.display())]
    Run {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// It does not give here what it gave where it was made.
    #[error("{} fails its golden pairs", .path.display())]
    Golden {
        /// The model's file.
        path: PathBuf,
        /// Which, and by how much.
        #[source]
        source: GoldenError,
    },
}
