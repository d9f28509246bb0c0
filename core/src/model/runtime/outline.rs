//! What an ONNX file takes and gives, before anybody has said how to use it.

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
    /// What the file calls it.
    pub name: String,
    /// What it holds, such as `f32`; a whole type where it is no tensor.
    pub element: String,
    /// Its axes; `None` for those that are not fixed. Empty where it is no tensor.
    pub shape: Vec<Option<u64>>,
}

impl Outline {
    /// Reads it from a model that ONNX Runtime takes.
    ///
    /// # Errors
    ///
    /// If ONNX Runtime is not there, or does not take the model.
    pub fn of(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let (session, _) = open(source, options)?;
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

fn axes(shape: &[i64]) -> Vec<Option<u64>> {
    shape.iter().map(|it| u64::try_from(*it).ok()).collect()
}
