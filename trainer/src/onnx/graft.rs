//! Adds nodes to an ONNX file. Everything else in the file stays byte for byte the same.

use prost::Message;
use siamese_core::model::NotOnnx;
use siamese_core::model::onnx::graph::{INITIALIZER, NODE, OUTPUT};
use siamese_core::model::onnx::model::GRAPH;
use siamese_core::model::protobuf::{each, put};

use super::{Builder, ValueInfoProto};

/// Returns the file with the nodes and weights of `added` after its own, and with `outputs` instead of its own.
pub(crate) fn graft(
    onnx: &[u8],
    added: &Builder,
    outputs: &[ValueInfoProto],
) -> Result<Vec<u8>, NotOnnx> {
    let mut written = Vec::with_capacity(onnx.len());
    for field in each(onnx) {
        let field = field?;
        match field.body {
            Some(graph) if field.number == GRAPH => {
                put(&mut written, GRAPH, &grafted(graph, added, outputs)?);
            }
            _ => written.extend_from_slice(field.whole),
        }
    }
    Ok(written)
}

fn grafted(graph: &[u8], added: &Builder, outputs: &[ValueInfoProto]) -> Result<Vec<u8>, NotOnnx> {
    let mut written = Vec::with_capacity(graph.len());
    for part in each(graph) {
        let part = part?;
        if part.number != OUTPUT {
            written.extend_from_slice(part.whole);
        }
    }
    for node in &added.nodes {
        put(&mut written, NODE, &node.encode_to_vec());
    }
    for tensor in &added.weights {
        put(&mut written, INITIALIZER, &tensor.encode_to_vec());
    }
    for output in outputs {
        put(&mut written, OUTPUT, &output.encode_to_vec());
    }
    Ok(written)
}
