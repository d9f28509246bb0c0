//! The part of ONNX's messages that a tower needs.
//!
//! Field numbers are those of `onnx.proto` (IR version 8); readers skip what they don't know, so
//! the many fields left out cost nothing.

use prost::{Enumeration, Message, Oneof};

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    /// The version of the format.
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    /// Who wrote it.
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    /// Which version of them.
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    /// What it computes.
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphProto>,
    /// Which operators it is written in.
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSetIdProto>,
    /// What else is to be known of it.
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<StringStringEntryProto>,
}

/// A version of a domain's operators.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSetIdProto {
    /// Empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub(super) key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// Nodes in an order in which they can be run.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphProto {
    /// The nodes.
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeProto>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// The weights.
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorProto>,
    /// What goes in.
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfoProto>,
    /// What comes out.
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfoProto>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    /// The names of what it reads.
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    /// The names of what it makes.
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub(super) name: String,
    /// Which operator.
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    /// The operator's settings.
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeProto>,
    /// Whose operator it is; empty for ONNX's own.
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// A setting of an operator; `r#type` says which field holds it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    /// A whole number.
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    /// A text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) s: Option<Vec<u8>>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub(super) ints: Vec<i64>,
    /// Which of them.
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub(super) r#type: i32,
}

/// What an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum AttributeType {
    /// Not stated.
    Undefined = 0,
    /// `f`
    Float = 1,
    /// `i`
    Int = 2,
    /// `s`
    String = 3,
    /// `ints`
    Ints = 7,
}

/// Weights.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    /// Its shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(super) dims: Vec<i64>,
    /// What its numbers are.
    #[prost(enumeration = "ElementType", tag = "2")]
    pub(super) data_type: i32,
    /// Its numbers row by row, if they are in single precision and don't stand in `raw_data`.
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub(super) name: String,
    /// Its numbers, little-endian, row by row.
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
}

/// What a tensor's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum ElementType {
    /// Not stated.
    Undefined = 0,
    /// Single precision.
    Float = 1,
    /// Bytes.
    Uint8 = 2,
    /// 64-bit whole numbers.
    Int64 = 7,
}

/// An input or output.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// What it is.
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<TypeProto>,
}

/// What a value is: here always a tensor.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeProto {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_type: Option<TensorType>,
}

/// Element and shape of a tensor.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    /// What its numbers are.
    #[prost(enumeration = "ElementType", tag = "1")]
    pub(super) elem_type: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShapeProto>,
}

/// The axes of a tensor.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShapeProto {
    /// One for each axis.
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

/// How long an axis is.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    /// A length, or a name for any.
    #[prost(oneof = "Extent", tags = "1, 2")]
    pub(super) extent: Option<Extent>,
}

/// A length, or a name for any.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Extent {
    /// A length.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A name for any length.
    #[prost(string, tag = "2")]
    Name(String),
}
