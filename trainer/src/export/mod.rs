//! From a trained network to a tower's file.
//!
//! A file counts only once the server's own tower has read it, reproduced its golden pairs, and
//! agreed with the network it was made of on real pictures; before that nothing stands at the place
//! asked for.

mod golden;
mod graph;
pub mod int8;
mod onnx;

use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use prost::Message;
use siamese_core::model::{
    self, Card, Golden, GoldenPair, Length, LoadError, OnnxTower, Options, Tower, TowerError,
};
use siamese_core::picture::{Limits, PictureError, Pixels};
use siamese_core::score::{Embedding, InvalidEmbedding};
use tempfile::NamedTempFile;
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
    /// The folder for it can't be written to.
    #[error("{} can't be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
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

/// What was checked of a written tower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exported {
    /// The largest difference of a coordinate between the trainer's network and the tower, on the
    /// pictures compared.
    pub difference: f64,
    /// How many pictures were compared.
    pub compared: usize,
    /// The file's size in bytes.
    pub bytes: usize,
}

/// Writes `network` as a tower to `path`, with `card` and golden pairs of its own, after comparing
/// both on `pictures`.
pub fn export(
    network: &Network,
    mut card: Card,
    pictures: &[&Pixels],
    path: &Path,
) -> Result<Exported, ExportError> {
    let write = |cause| ExportError::Write { path: path.to_path_buf(), cause };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().suffix(".onnx").tempfile_in(folder).map_err(write)?;

    card.golden = None;
    put(&file, &encode(network, &card)).map_err(write)?;
    card.golden = Some(golden_pairs(&mut load(&file)?, &card)?);
    let onnx = encode(network, &card);
    put(&file, &onnx).map_err(write)?;

    let difference = compare(network, &mut load(&file)?, pictures)?;
    if TOLERANCE < difference {
        return Err(ExportError::Parity(difference));
    }
    let file = file.persist(path).map_err(|err| write(err.error))?;
    readable(&file).map_err(write)?;
    Ok(Exported { difference, compared: pictures.len(), bytes: onnx.len() })
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

fn load(file: &NamedTempFile) -> Result<OnnxTower, ExportError> {
    let options = Options { device: model::Device::Cpu, ..Options::default() };
    OnnxTower::load(file.path(), &options).map_err(ExportError::Load)
}

pub(crate) fn run(
    tower: &mut OnnxTower,
    pictures: &[Pixels],
) -> Result<Vec<Embedding>, ExportError> {
    tower
        .embed(pictures)
        .map_err(ExportError::Run)?
        .into_iter()
        .map(|it| it.map_err(ExportError::Embedding))
        .collect()
}

/// Measures the made pictures' distances.
pub(crate) fn golden_pairs(tower: &mut OnnxTower, card: &Card) -> Result<Golden, ExportError> {
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

fn put(file: &NamedTempFile, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(file.path(), bytes)
}

/// Temporary files are for their owner alone; a tower is for whoever serves it.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}
