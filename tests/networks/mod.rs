//! Tiny ONNX files: networks for grey images of 4 x 4 pixels, and other inputs for networks.

mod reading;

use siamese_core::model::onnx::{graph, model, node, string_string_entry, tensor};
use siamese_core::model::protobuf::put;

pub(crate) use reading::Reading;

/// ONNX's numbers of element types.
const F32: u8 = 1;
const U8: u8 = 2;
const I64: u8 = 7;

/// The number of a graph's inputs.
const INPUT: u64 = 11;

/// The embedding is the 16 pixels.
pub(crate) fn pixels() -> Vec<u8> {
    network(&[call("Identity", &["f"], "y", &[])], &output(F32, &["n", "w"]))
}

/// The output is NaN.
pub(crate) fn not_a_number() -> Vec<u8> {
    let nodes = [call("Sub", &["f", "f"], "z", &[]), call("Div", &["z", "z"], "y", &[])];
    network(&nodes, &output(F32, &["n", "w"]))
}

/// The output is the class of each image.
pub(crate) fn classes() -> Vec<u8> {
    network(&[call("ArgMax", &["f"], "y", &[number("axis", 1)])], &output(I64, &["n", "w"]))
}

/// The output is one number for each image: `[n, 1]`, or `[n]`.
pub(crate) fn score(keeps_axis: bool) -> Vec<u8> {
    let attributes = [axes(1), number("keepdims", u8::from(keeps_axis))];
    let shape = if keeps_axis { &["n", "w"][..] } else { &["n"] };
    network(&[call("ReduceMean", &["f"], "y", &attributes)], &output(F32, shape))
}

/// A linear layer from 16 pixels to 2 coordinates, with its 128 bytes of weights in a file.
pub(crate) fn external(location: &str) -> Vec<u8> {
    // Its dimensions, element type and name; its data is external.
    let mut weights = vec![0x08, 16, 0x08, 2, 0x10, F32];
    put(&mut weights, 8, b"w");
    let mut entry = Vec::new();
    put(&mut entry, string_string_entry::KEY, b"location");
    put(&mut entry, string_string_entry::VALUE, location.as_bytes());
    put(&mut weights, tensor::EXTERNAL_DATA, &entry);
    weights.extend([0x70, 1]);
    let mut rest = Vec::new();
    put(&mut rest, graph::INITIALIZER, &weights);
    rest.extend(output(F32, &["n", "w"]));
    network(&[call("MatMul", &["f", "w"], "y", &[])], &rest)
}

/// A model: its version, a graph that begins with a flat image, and the version of the operators.
fn network(nodes: &[Vec<u8>], rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for each in [&[call("Flatten", &["x"], "f", &[])], nodes].concat() {
        put(&mut body, graph::NODE, &each);
    }
    put(&mut body, 2, b"graph");
    put(&mut body, INPUT, &port("x", F32, &[&axis("n"), &[0x08, 1], &[0x08, 4], &[0x08, 4]]));
    body.extend(rest);
    let mut onnx = vec![0x08, 8];
    put(&mut onnx, model::GRAPH, &body);
    put(&mut onnx, model::OPSET_IMPORT, &[0x10, 17]);
    onnx
}

fn call(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut call = Vec::new();
    for input in inputs {
        put(&mut call, 1, input.as_bytes());
    }
    put(&mut call, 2, output.as_bytes());
    put(&mut call, 4, operator.as_bytes());
    for attribute in attributes {
        put(&mut call, node::ATTRIBUTE, attribute);
    }
    call
}

fn number(name: &str, value: u8) -> Vec<u8> {
    let mut attribute = Vec::new();
    put(&mut attribute, 1, name.as_bytes());
    attribute.extend([0x18, value, 0xa0, 0x01, 2]);
    attribute
}

fn axes(only: u8) -> Vec<u8> {
    numbers("axes", &[only])
}

fn numbers(name: &str, values: &[u8]) -> Vec<u8> {
    let mut attribute = Vec::new();
    put(&mut attribute, 1, name.as_bytes());
    attribute.extend(values.iter().flat_map(|value| [0x40, *value]));
    attribute.extend([0xa0, 0x01, 7]);
    attribute
}

fn output(element: u8, names: &[&str]) -> Vec<u8> {
    let axes: Vec<_> = names.iter().map(|name| axis(name)).collect();
    let axes: Vec<&[u8]> = axes.iter().map(Vec::as_slice).collect();
    let mut output = Vec::new();
    put(&mut output, 12, &port("y", element, &axes));
    output
}

/// A dynamic axis.
fn axis(name: &str) -> Vec<u8> {
    let mut axis = Vec::new();
    put(&mut axis, 2, name.as_bytes());
    axis
}

fn port(name: &str, element: u8, axes: &[&[u8]]) -> Vec<u8> {
    let (mut shape, mut of_tensor, mut port) = (Vec::new(), Vec::new(), Vec::new());
    for axis in axes {
        put(&mut shape, 1, axis);
    }
    let mut kind = vec![0x08, element];
    put(&mut kind, 2, &shape);
    put(&mut of_tensor, 1, &kind);
    put(&mut port, 1, name.as_bytes());
    put(&mut port, 2, &of_tensor);
    port
}
