//! Why a network is not adopted: one line each, with the way out.

use std::io;
use std::path::PathBuf;

use siamese_core::model::{LoadError, NotOnnx};
use thiserror::Error;

use crate::data::DataError;
use crate::evaluate::EmbeddedError;
use crate::export::ExportError;
use crate::statistics::NotComparable;

/// Why a network is not adopted.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// The file can't be read.
    #[error("{} can't be read or written", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Its weights lie in another file, which can't be taken in.
    #[error("the weights in {} can't be read, which the network names: put the file beside it", .path.display())]
    Weights {
        /// The other file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It is no ONNX file.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// ONNX Runtime does not take it, or it is not what it was said to be.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its inputs and outputs are not a model's.
    #[error("{} is no model: {why}", .path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// Why, with the way out.
        why: NoModel,
    },
    /// It answers by chance.
    #[error(
        "it answers the same image with embeddings that lie {0:.1e} of their length apart: something in it is drawn \
         by chance, as dropout is in training; call model.eval() before the export"
    )]
    Random(f64),
    /// It looks at other images of the batch.
    #[error(
        "what else is in the batch moves an image's embedding by {0:.1e} of its length, as batch norm does in \
         training: call model.eval() before the export"
    )]
    BatchDependent(f64),
    /// The folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It can't be run on the images.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The made images can't be told apart, or it does not run on them.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The images make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
}

/// What keeps a network from being a model, with the way out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoModel {
    /// More than one image goes in.
    #[error(
        "it has {} inputs ({}), and a model reads one image: export the half of the network that embeds an image, \
         not the pair", .0.len(), .0.join(", ")
    )]
    Inputs(Vec<String>),
    /// More than an embedding comes out.
    #[error(
        "it has {} outputs ({}), and a model gives the embedding alone: export that one only",
        .0.len(), .0.join(", ")
    )]
    Outputs(Vec<String>),
    /// Numbers of another kind go in.
    #[error(
        "its input holds {0}, and a model reads f32: export it in single precision (model.float(), a float input)"
    )]
    InputElement(String),
    /// Numbers of another kind come out.
    #[error(
        "its output holds {0}, and a model gives f32: export it in single precision (model.float())"
    )]
    OutputElement(String),
    /// Not four axes.
    #[error(
        "its input has shape {0}, and a model's is [n, channels, height, width]: export it for batches of images"
    )]
    InputRank(String),
    /// Channels come last.
    #[error(
        "its input has shape {0}, with the channels last, and a model's come first: export it as [n, channels, height, \
         width] (from TensorFlow: tf2onnx --inputs-as-nchw), or put a transposition before it"
    )]
    ChannelsLast(String),
    /// Neither grey nor in colours.
    #[error("its input has shape {0}, with neither 1 channel nor 3: images give no others")]
    Channels(String),
    /// The colour asked for has other channels.
    #[error(
        "its input has {found} channels, and --colour {colour} has {asked}: give another --colour"
    )]
    Colour {
        /// What the file has.
        found: u64,
        /// What was asked for.
        colour: String,
        /// Its channels.
        asked: u64,
    },
    /// Nothing says which size.
    #[error(
        "its input has shape {0}, which leaves the size open: give the one it was trained with, as --input 112x112"
    )]
    NoSize(String),
    /// It has another size.
    #[error(
        "its input is {found} pixels (height x width), not {asked}: leave out --input, or export it with open sides"
    )]
    Size {
        /// What the file has.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// Its batch is fixed.
    #[error(
        "its batch is fixed at {0}: export it with an open first axis (torch: dynamic_shapes, or dynamic_axes with \
         dynamo=False)"
    )]
    Batch(u64),
    /// Not one vector an image.
    #[error(
        "its output has shape {0}, and a model's is [n, width]: flatten it before the export (torch.flatten(x, 1))"
    )]
    OutputRank(String),
}
