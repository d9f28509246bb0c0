//! The inputs and outputs of an ONNX file, read before a card describes them.

use ort::value::{Outlet, TensorElementType, ValueType};

use super::Options;
use super::session::open;
use crate::model::{LoadError, Source};

/// The inputs and outputs of an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// In the file's order.
    pub inputs: Vec<Port>,
    /// In the file's order.
    pub outputs: Vec<Port>,
}

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name in the file.
    pub name: String,
    /// The element type, such as `f32`; the whole type if it is not a tensor.
    pub element: String,
    /// The axes; `None` for a dynamic one. Empty if it is not a tensor.
    pub shape: Vec<Option<u64>>,
}

impl Outline {
    /// Reads the inputs and outputs of a model.
    ///
    /// # Errors
    ///
    /// If ONNX Runtime is unavailable or rejects the model.
    pub fn of(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let (session, _) = open(source.path(), source.onnx(), options)?;
        Ok(Self {
            inputs: session.inputs().iter().map(Port::of).collect(),
            outputs: session.outputs().iter().map(Port::of).collect(),
        })
    }
}

impl Port {
    fn of(outlet: &Outlet) -> Self {
        let (element, shape) = match outlet.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
                ("f32".to_owned(), axes(shape))
            }
            ValueType::Tensor { ty, shape, .. } => (ty.to_string(), axes(shape)),
            other => (other.to_string(), Vec::new()),
        };
        Self { name: outlet.name().to_owned(), element, shape }
    }
}

/// Returns the lengths of a shape's axes; `None` for a dynamic one.
pub(super) fn axes(shape: &[i64]) -> Vec<Option<u64>> {
    shape.iter().map(|length| u64::try_from(*length).ok()).collect()
}
