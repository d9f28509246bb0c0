//! Towers' files in memory: of a trained network, of anybody's file ([`adopt`]), of a larger tower ([`int8`]).
//!
//! A file counts only once the server's own tower has taken it, reproduced its golden pairs, and
//! agreed with the network it was made of on real pictures. Nothing here writes one.

pub mod adopt;
mod golden;
mod graph;
pub mod int8;
mod onnx;

use std::path::Path;

use burn::tensor::Device;
use prost::Message;
use siamese_core::model::{
    self, Card, Golden, GoldenPair, Length, LoadError, OnnxTower, Options, Source, Tower,
    TowerError,
};
use siamese_core::picture::{Limits, PictureError, Pixels};
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;

use crate::learn::{NotFinite, embed};
use crate::network::Network;
use onnx::{ModelProto, entry, operators};

/// The version of ONNX's operators that towers are written in.
const OPSET: i64 = 17;
/// The version of ONNX's format that came with it.
const IR_VERSION: i64 = 8;
/// How far a coordinate may be off between the trainer's network and the exported tower, as a share
/// of the embedding's length where that is above 1.
pub const TOLERANCE: f64 = 1e-4;

/// Why there is no tower's file.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The server's code can't load what was exported.
    #[error("the exported tower does not load, so it was not written")]
    Load(#[source] LoadError),
    /// It fails on pictures.
    #[error("the exported tower does not run, so it was not written")]
    Run(#[source] TowerError),
    /// Its output is no embedding.
    #[error("the exported tower gives no embedding, so it was not written")]
    Embedding(#[source] InvalidEmbedding),
    /// The trainer's network gives numbers that are not finite.
    #[error("the network's output is not finite, so no tower was written")]
    NotFinite(#[source] NotFinite),
    /// It is another network than the one trained.
    #[error(
        "the exported tower differs from the trained network by {0:.1e} on real pictures, above {TOLERANCE:.0e}, so it was not written"
    )]
    Parity(f64),
    /// Two made pictures that it can't tell apart.
    #[error(
        "the tower maps different made pictures to one point: it has learned nothing, so it was not written"
    )]
    Collapsed,
    /// A made picture can't be prepared.
    #[error("a made picture can't be prepared")]
    Golden(#[source] PictureError),
}

/// A tower's file, and what was checked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The file.
    pub onnx: Vec<u8>,
    /// The largest difference of a coordinate between the trainer's network and the tower, on the
    /// pictures compared.
    pub difference: f64,
    /// How many pictures were compared.
    pub compared: usize,
}

/// Writes `network` as a tower, with `card` and golden pairs of its own, after comparing both on
/// `pictures`.
pub fn export(
    network: &Network,
    mut card: Card,
    pictures: &[&Pixels],
) -> Result<Exported, ExportError> {
    card.golden = None;
    card.golden = Some(golden_pairs(&mut load(encode(network, &card))?, &card)?);
    let onnx = encode(network, &card);
    let difference = compare(network, &mut load(onnx.clone())?, pictures)?;
    if TOLERANCE < difference {
        return Err(ExportError::Parity(difference));
    }
    Ok(Exported { onnx, difference, compared: pictures.len() })
}

/// The whole file.
fn encode(network: &Network, card: &Card) -> Vec<u8> {
    let metadata = card.to_metadata().into_iter();
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(graph::graph(network, card.preparation.shape())),
        opset_import: vec![operators("", OPSET)],
        metadata_props: metadata.map(|(key, value)| entry(key, value)).collect(),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

fn load(onnx: Vec<u8>) -> Result<OnnxTower, ExportError> {
    in_memory("the exported tower".as_ref(), onnx, &on_cpu()).map_err(ExportError::Load)
}

/// A tower that stands in no file yet; `path` is for people.
fn in_memory(path: &Path, onnx: Vec<u8>, options: &Options) -> Result<OnnxTower, LoadError> {
    OnnxTower::open(&Source::of(path, onnx)?, options)
}

/// The CPU, on which towers are proved.
pub fn on_cpu() -> Options {
    Options { device: model::Device::Cpu, ..Options::default() }
}

fn run(tower: &mut impl Tower, pictures: &[Pixels]) -> Result<Vec<Embedding>, ExportError> {
    tower
        .embed(pictures)
        .map_err(ExportError::Run)?
        .into_iter()
        .map(|it| it.map_err(ExportError::Embedding))
        .collect()
}

/// Measures the made pictures' distances.
fn golden_pairs(tower: &mut OnnxTower, card: &Card) -> Result<Golden, ExportError> {
    let files = golden::pictures(&card.preparation);
    let pixels = files
        .iter()
        .map(|file| card.preparation.prepare(file, &Limits::default()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ExportError::Golden)?;
    let embeddings = run(tower, &pixels)?;
    let pairs: Vec<_> = golden::PAIRS
        .into_iter()
        .map(|[a, b]| GoldenPair { a, b, distance: embeddings[a].distance(&embeddings[b]).get() })
        .collect();
    if pairs.iter().any(|it| it.distance <= 0.0) {
        return Err(ExportError::Collapsed);
    }
    Ok(Golden { tolerance: golden::TOLERANCE, pictures: golden::base64(&files), pairs })
}

/// The largest difference of a coordinate, as a share of the embedding's length where that is above
/// 1.
fn compare(
    network: &Network,
    tower: &mut OnnxTower,
    pictures: &[&Pixels],
) -> Result<f64, ExportError> {
    let shape = tower.card().preparation.shape();
    let unit = tower.card().length == Length::Unit;
    let values: Vec<_> = pictures.iter().map(|it| it.values()).collect();
    let trained =
        embed(network, unit, &values, shape, &Device::flex()).map_err(ExportError::NotFinite)?;
    let pixels: Vec<_> = pictures.iter().map(|it| (*it).clone()).collect();
    let exported = run(tower, &pixels)?;
    let mut largest = 0.0_f64;
    for (trained, exported) in trained.iter().zip(&exported) {
        let length = trained.coordinates().iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
        for (left, right) in trained.coordinates().iter().zip(exported.coordinates()) {
            let difference = (f64::from(*left) - f64::from(*right)).abs();
            largest = largest.max(difference / length.sqrt().max(1.0));
        }
    }
    Ok(largest)
}
