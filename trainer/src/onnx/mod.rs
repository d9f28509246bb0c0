//! The protobuf messages of ONNX, and functions to make them.
//!
//! This module knows names, tensors and operators. It knows no networks.
//!
//! `scripts/onnx_messages.sh` generates the messages from the definition of the ONNX project (Apache-2.0). They are checked
//! in, so a build needs no protobuf compiler.

mod builder;
mod graft;
#[expect(
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated from the definition of the ONNX project"
)]
mod messages;

pub(crate) use builder::Builder;
pub(crate) use graft::graft;
pub(crate) use messages::attribute_proto::AttributeType;
pub(crate) use messages::tensor_proto::DataType;
pub(crate) use messages::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};
use messages::{TensorShapeProto, TypeProto, tensor_shape_proto, type_proto};

/// Makes a node with an operator of the default domain.
pub(crate) fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    settings: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(operator.to_owned()),
        attribute: settings,
        ..NodeProto::default()
    }
}

/// Makes a tensor from little-endian numbers in row-major order.
pub(crate) fn tensor(
    name: &str,
    element: DataType,
    shape: &[usize],
    bytes: Vec<u8>,
) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|length| signed(*length)).collect(),
        data_type: Some(element.into()),
        name: Some(name.to_owned()),
        raw_data: Some(bytes),
        ..TensorProto::default()
    }
}

/// Makes an input or output in single precision, of shape `[n, rest...]`.
pub(crate) fn value(name: &str, rest: &[usize]) -> ValueInfoProto {
    let axes = std::iter::once(Axis::Any("n")).chain(rest.iter().map(|length| Axis::Of(*length)));
    of_axes(name, axes)
}

/// Makes an input of images of any size in single precision: `[n, channels, height, width]`.
pub(crate) fn images(name: &str, channels: usize) -> ValueInfoProto {
    of_axes(name, [Axis::Any("n"), Axis::Of(channels), Axis::Any("height"), Axis::Any("width")])
}

/// Makes an output of a map in single precision: `[n, channels, rows, columns]`.
pub(crate) fn map(name: &str, channels: usize) -> ValueInfoProto {
    of_axes(name, [Axis::Any("n"), Axis::Of(channels), Axis::Any("rows"), Axis::Any("columns")])
}

/// An axis of a tensor: its length, or a name if the length is not fixed.
enum Axis {
    Any(&'static str),
    Of(usize),
}

fn of_axes(name: &str, axes: impl IntoIterator<Item = Axis>) -> ValueInfoProto {
    use tensor_shape_proto::Dimension;
    use tensor_shape_proto::dimension::Value;

    let dim = axes.into_iter().map(|axis| match axis {
        Axis::Any(name) => Value::DimParam(name.to_owned()),
        Axis::Of(length) => Value::DimValue(signed(length)),
    });
    let dim = dim.map(|value| Dimension { value: Some(value), ..Dimension::default() }).collect();
    let elem_type = Some(DataType::Float.into());
    let tensor = type_proto::Tensor { elem_type, shape: Some(TensorShapeProto { dim }) };
    let tensor = type_proto::Value::TensorType(tensor);
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { value: Some(tensor), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// Makes the operator set of a domain; the default domain is empty.
pub(crate) fn operators(domain: &str, version: i64) -> OperatorSetIdProto {
    let domain = Some(domain.to_owned()).filter(|domain| !domain.is_empty());
    OperatorSetIdProto { domain, version: Some(version) }
}

pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

pub(crate) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

pub(crate) fn integers(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..attribute(name, AttributeType::Ints) }
}

pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::String) }
}

fn attribute(name: &str, of: AttributeType) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(of.into()),
        ..AttributeProto::default()
    }
}

/// Converts a length or a count to ONNX's type.
pub(crate) fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("no axis is 2^63 long")
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn models_are_written_as_they_were_read() {
        for name in ["characters", "faces"] {
            let path = format!("{}/../models/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
            let onnx = std::fs::read(path).expect("a model");
            let model = ModelProto::decode(&*onnx).expect("a model");
            assert!(model.graph.as_ref().is_some_and(|graph| !graph.node.is_empty()));
            // The fields may have any order, but none may be lost.
            assert_eq!(model.encoded_len(), onnx.len(), "{name}");
            assert!(ModelProto::decode(&*model.encode_to_vec()) == Ok(model), "{name}");
        }
    }
}
