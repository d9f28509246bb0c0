//! A graph under construction.

use super::{AttributeProto, DataType, NodeProto, TensorProto, node, tensor};

/// The nodes and the weights of a graph under construction.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// What the names of this builder start with, so that they differ from those of another part of the graph.
    prefix: &'static str,
    /// In the order of execution.
    pub(crate) nodes: Vec<NodeProto>,
    /// The constants that the nodes read.
    pub(crate) weights: Vec<TensorProto>,
}

impl Builder {
    /// Starts a part of a graph whose names start with `prefix`.
    pub(crate) fn with_prefix(prefix: &'static str) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// Adds a node; returns the name of its output.
    pub(crate) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        settings: Vec<AttributeProto>,
    ) -> String {
        self.add(operator, inputs, settings, None)
    }

    /// Adds a node whose output has a given name; returns the name.
    pub(crate) fn named(&mut self, operator: &str, inputs: &[&str], output: &str) -> String {
        self.add(operator, inputs, vec![], Some(output))
    }

    fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        settings: Vec<AttributeProto>,
        output: Option<&str>,
    ) -> String {
        let name = format!("{}{}_{}", self.prefix, operator.to_lowercase(), self.nodes.len());
        let output = output.unwrap_or(&name).to_owned();
        let node = node(operator, inputs, &output, settings);
        self.nodes.push(NodeProto { name: Some(name), ..node });
        output
    }

    /// Adds constants in single precision, in row-major order; returns their name.
    pub(crate) fn floats(&mut self, values: Vec<f32>, shape: &[usize]) -> String {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.initializer(DataType::Float, bytes, shape)
    }

    /// Adds a list of whole numbers; returns its name.
    pub(crate) fn integers(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(DataType::Int64, bytes, &[values.len()])
    }

    fn initializer(&mut self, element: DataType, bytes: Vec<u8>, shape: &[usize]) -> String {
        let name = format!("{}weights_{}", self.prefix, self.weights.len());
        self.weights.push(tensor(&name, element, shape, bytes));
        name
    }
}
