//! Model files in memory: from a trained network, from a foreign file ([`adopt`]), or in a smaller form ([`int8`]).
//!
//! An export is valid only if the server's own code loads it, reproduces its golden pairs, and agrees with the original
//! network on real images. This module writes no files.

pub mod adopt;
mod cells;
mod golden;
mod graph;
pub mod int8;

use std::path::Path;

use burn::tensor::Device;
use prost::Message;
use siamese_core::model::{
    self, Card, Golden, GoldenPair, Length, LoadError, Model, ModelError, NotOnnx, OnnxModel,
    Options, Source, rewrite,
};
use siamese_core::preprocessing::{DecodeError, Limits, Pixels};
use siamese_core::score::{Embedding, InvalidEmbedding, InvalidMap};
use thiserror::Error;

pub use cells::on_cells;

use crate::backbone::{Head, LoadedBackbone, Pooling};
use crate::data::Gallery;
use crate::learn::{NotFinite, embed};
use crate::network::Network;
use crate::onnx::{GraphProto, ModelProto, operators};

/// The version of ONNX's operators.
const OPSET: i64 = 17;
/// The version of ONNX's format that belongs to it.
const IR_VERSION: i64 = 8;
/// The largest difference of a coordinate between the trained network and the exported model. It is relative to the
/// embedding's length if that is above 1.
pub const TOLERANCE: f64 = 1e-4;

/// A network could not be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The server's code cannot load the export.
    #[error("the exported model does not load, so it was not written")]
    Load(#[source] LoadError),
    /// The exported model fails on images.
    #[error("the exported model does not run, so it was not written")]
    Run(#[source] ModelError),
    /// The output of the exported model is not an embedding.
    #[error("the output of the exported model is not an embedding, so it was not written")]
    Embedding(#[source] InvalidEmbedding),
    /// A map of the exported model is invalid.
    #[error("the map of the exported model is invalid, so it was not written")]
    Map(#[source] InvalidMap),
    /// The output of the trained network is not finite.
    #[error("the network's output is not finite, so no model was written")]
    NotFinite(#[source] NotFinite),
    /// The exported model differs from the trained network.
    #[error(
        "the exported model differs from the trained network by {0:.1e} on real images, above {TOLERANCE:.0e}, so it was not written"
    )]
    Parity(f64),
    /// The model gives different golden images the same embedding.
    #[error(
        "the model gives different synthetic images the same embedding: it has learned nothing, so it was not written"
    )]
    Collapsed,
    /// The backbone is not ONNX.
    #[error("the backbone can't take a head")]
    Backbone(#[from] NotOnnx),
    /// A golden image cannot be preprocessed.
    #[error("a synthetic image cannot be preprocessed")]
    Golden(#[source] DecodeError),
}

/// An exported model, and the result of its check.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The file.
    pub onnx: Vec<u8>,
    /// The largest difference of a coordinate between the trained network and the model.
    pub difference: f64,
    /// The number of compared images.
    pub compared: usize,
}

/// Exports `network` as a model with `card` and golden pairs, and compares both on `images`.
pub fn export(network: &Network, card: Card, images: &[&Pixels]) -> Result<Exported, ExportError> {
    let graph = graph::graph(network, card.preprocessing.shape());
    let pixels: Vec<_> = images.iter().map(|image| (*image).clone()).collect();
    finish(&file(graph), network, card, images, &pixels)
}

/// Exports a backbone with `head` as a model with `card` and golden pairs. Compares it on images: `features` are inputs of
/// the head, which reads those of `pooling`, and `pixels` are inputs of the model with the names of their images.
///
/// # Panics
///
/// If the network is not a head.
pub fn on_backbone(
    backbone: &LoadedBackbone,
    pooling: Option<Pooling>,
    head: &Network,
    card: Card,
    features: &Gallery,
    pixels: &[(String, Pixels)],
) -> Result<Exported, ExportError> {
    let Network::Head(network) = head else { unreachable!("a network on a backbone is a head") };
    let whitening = network.whitening.bias.as_ref().expect("the whitening has a bias").val();
    let layer = network.layer.weight.val();
    let layer = Head {
        weights: graph::values(&network.whitening.weight.val().matmul(layer.clone())),
        bias: graph::values(&whitening.unsqueeze::<2>().matmul(layer)),
    };
    let first_of = |name| features.samples().iter().find(|sample| sample.name == name);
    let (rows, pixels): (Vec<_>, Vec<_>) = pixels
        .iter()
        .filter_map(|(name, pixels)| Some((&first_of(name.as_str())?.pixels, pixels.clone())))
        .unzip();
    finish(&backbone.with_head(&layer, pooling)?, head, card, &rows, &pixels)
}

/// Adds a card and golden pairs, and compares the model's embeddings of `pixels` with those that `network` gives for
/// `inputs`.
fn finish(
    onnx: &[u8],
    network: &Network,
    card: Card,
    inputs: &[&Pixels],
    pixels: &[Pixels],
) -> Result<Exported, ExportError> {
    let onnx = with_card(onnx, card)?;
    let difference = compare(network, &mut load(onnx.clone())?, inputs, pixels)?;
    Exported::checked(onnx, difference, pixels.len())
}

/// Adds a card and golden pairs.
fn with_card(onnx: &[u8], mut card: Card) -> Result<Vec<u8>, ExportError> {
    card.golden = None;
    card.golden = Some(golden_pairs(&mut load(rewrite(onnx, &card.to_metadata())?)?, &card)?);
    Ok(rewrite(onnx, &card.to_metadata())?)
}

impl Exported {
    fn checked(onnx: Vec<u8>, difference: f64, compared: usize) -> Result<Self, ExportError> {
        // A difference that is not a number is too large as well.
        if difference <= TOLERANCE {
            Ok(Self { onnx, difference, compared })
        } else {
            Err(ExportError::Parity(difference))
        }
    }
}

/// Returns the ONNX file of a graph.
fn file(graph: GraphProto) -> Vec<u8> {
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(graph),
        opset_import: vec![operators("", OPSET)],
        ..ModelProto::default()
    }
    .encode_to_vec()
}

fn load(onnx: Vec<u8>) -> Result<OnnxModel, ExportError> {
    in_memory("the exported model".as_ref(), onnx, &on_cpu()).map_err(ExportError::Load)
}

/// Loads a model from memory; `path` is used in messages only.
fn in_memory(path: &Path, onnx: Vec<u8>, options: &Options) -> Result<OnnxModel, LoadError> {
    OnnxModel::open(&Source::of(path, onnx)?, options)
}

/// Returns the options for the CPU, on which exports are checked.
pub fn on_cpu() -> Options {
    Options { device: model::Device::Cpu, ..Options::default() }
}

fn run(model: &mut impl Model, images: &[Pixels]) -> Result<Vec<Embedding>, ExportError> {
    model
        .embed(images)
        .map_err(ExportError::Run)?
        .into_iter()
        .map(|embedding| embedding.map_err(ExportError::Embedding))
        .collect()
}

/// Adds golden pairs to a model's card if it has none.
pub fn ensure_golden(onnx: &[u8], card: &mut Card) -> anyhow::Result<()> {
    if card.golden.is_none() {
        let mut model =
            in_memory("the model".as_ref(), rewrite(onnx, &card.to_metadata())?, &on_cpu())?;
        card.golden = Some(golden_pairs(&mut model, card)?);
    }
    Ok(())
}

/// Makes the golden pairs: synthetic images with the model's distances.
fn golden_pairs(model: &mut OnnxModel, card: &Card) -> Result<Golden, ExportError> {
    let files = golden::images(&card.preprocessing);
    let pixels = files
        .iter()
        .map(|file| card.preprocessing.preprocess(file, &Limits::default()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ExportError::Golden)?;
    let embeddings = run(model, &pixels)?;
    let pairs: Vec<_> = golden::PAIRS
        .into_iter()
        .map(|[a, b]| GoldenPair { a, b, distance: embeddings[a].distance(&embeddings[b]).get() })
        .collect();
    if pairs.iter().any(|pair| pair.distance <= 0.0) {
        return Err(ExportError::Collapsed);
    }
    Ok(Golden { tolerance: golden::TOLERANCE, images: golden::base64(&files), pairs })
}

/// Returns the largest difference of a coordinate, relative to the embedding's length if that is above 1.
fn compare(
    network: &Network,
    model: &mut OnnxModel,
    inputs: &[&Pixels],
    pixels: &[Pixels],
) -> Result<f64, ExportError> {
    let shape = match network {
        Network::Head(head) => head.shape(),
        _ => model.card().preprocessing.shape(),
    };
    let unit = model.card().length == Length::Unit;
    let values: Vec<_> = inputs.iter().map(|image| image.values()).collect();
    let trained =
        embed(network, unit, &values, shape, &Device::flex()).map_err(ExportError::NotFinite)?;
    let exported = run(model, pixels)?;
    let mut largest = 0.0_f64;
    for (trained, exported) in trained.iter().zip(&exported) {
        let length = trained
            .coordinates()
            .iter()
            .map(|coordinate| f64::from(*coordinate).powi(2))
            .sum::<f64>();
        for (left, right) in trained.coordinates().iter().zip(exported.coordinates()) {
            let difference = (f64::from(*left) - f64::from(*right)).abs();
            largest = largest.max(difference / length.sqrt().max(1.0));
        }
    }
    Ok(largest)
}
