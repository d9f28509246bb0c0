//! Quantisation of convolutions to 8 bits.
//!
//! Each quantised tensor gets a pair of nodes, `QuantizeLinear` and `DequantizeLinear`, which ONNX Runtime fuses with the
//! operators between them (QDQ format, onnxruntime.ai/docs/performance/model-optimizations/quantization.html). Weights have
//! one scale for each output channel. Activations have one scale for each tensor, from its range on real images. These
//! scales are constants, so the embedding of an image does not depend on the other images of its batch.

use std::collections::{HashMap, HashSet};

use prost::Message;
use siamese_core::model::onnx::graph::{INITIALIZER, NODE};
use siamese_core::model::onnx::model::{GRAPH, OPSET_IMPORT};
use siamese_core::model::protobuf::{Field, fields, put};
use siamese_core::model::{Card, NotOnnx};
use siamese_core::preprocessing::Pixels;

use super::layers::{LayersError, decode, number};
use super::{Int8Error, ranges};
use crate::onnx::{self, DataType, NodeProto, OperatorSetIdProto, TensorProto, integer, node};

/// The first version of ONNX's operators that quantises each channel by itself.
const OPSET: i64 = 13;
/// The largest weight in steps. Processors without instructions for 8-bit products add two products in 16 bits: 2 * 255 * 64
/// fits, so all processors give the same sums.
const WEIGHT_STEPS: f32 = 64.0;
/// The largest activation in steps; the smallest is 0.
const STEPS: f32 = 255.0;
/// Operators that ONNX Runtime runs in 8 bits if their inputs and output are quantised.
const PASSING: [&str; 2] = ["Add", "MaxPool"];
/// Operators that become part of the convolution before them.
const CLIPPING: [&str; 2] = ["Clip", "Relu"];

/// Returns the file with its convolutions in 8 bits; `None` if it has none with constant weights in single precision.
///
/// `images` are inputs of the network, which determine the ranges of its activations.
pub(super) fn quantize(
    onnx: &[u8],
    card: &Card,
    images: &[Pixels],
) -> Result<Option<Vec<u8>>, Int8Error> {
    let fields = fields(onnx)?;
    let graph = fields.iter().find(|field| field.number == GRAPH).and_then(|field| field.body);
    let graph = Graph::read(graph.ok_or(NotOnnx)?)?;
    let convolutions = graph.convolutions();
    if convolutions.is_empty() {
        return Ok(None);
    }
    let imports = fields.iter().filter(|field| field.number == OPSET_IMPORT);
    for import in imports.filter_map(|field| field.body) {
        let import: OperatorSetIdProto = decode(import)?;
        if import.domain().is_empty() && import.version() < OPSET {
            return Err(Int8Error::OldOperators(import.version()));
        }
    }
    let tensors = graph.activations(&convolutions);
    let ranges = ranges::measure(onnx, card, &tensors, images)?;
    let scales = tensors.iter().cloned().zip(ranges.into_iter().map(Scale::of)).collect();
    let quantized = graph.quantized(&convolutions, &scales)?;
    let mut written = Vec::with_capacity(onnx.len() / 3);
    for Field { number, whole, .. } in fields {
        if number == GRAPH { put(&mut written, GRAPH, &quantized) } else { written.extend(whole) }
    }
    Ok(Some(written))
}

/// The scale of an activation: its value is `scale * (byte - zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    scale: f32,
    zero: u8,
}

impl Scale {
    /// Chooses the scale for a range, which contains 0.
    fn of([low, high]: [f32; 2]) -> Self {
        let scale = ((high - low) / STEPS).max(f32::MIN_POSITIVE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let zero = (-low / scale).round() as u8;
        Self { scale, zero }
    }
}

/// A graph whose nodes and constants are read, and whose other fields are kept.
struct Graph<'a> {
    nodes: Vec<NodeProto>,
    constants: HashMap<String, TensorProto>,
    others: Vec<&'a [u8]>,
}

impl<'a> Graph<'a> {
    fn read(graph: &'a [u8]) -> Result<Self, NotOnnx> {
        let (mut nodes, mut constants, mut others) = (Vec::new(), HashMap::new(), Vec::new());
        for field in fields(graph)? {
            match (field.number, field.body) {
                (NODE, Some(body)) => nodes.push(decode::<NodeProto>(body)?),
                (INITIALIZER, Some(body)) => {
                    let tensor = decode::<TensorProto>(body)?;
                    constants.insert(tensor.name().to_owned(), tensor);
                }
                _ => others.push(field.whole),
            }
        }
        Ok(Self { nodes, constants, others })
    }

    /// Returns the indices of the convolutions that can be quantised.
    fn convolutions(&self) -> Vec<usize> {
        let is_float = |name: &String| {
            self.constants.get(name).is_some_and(|it| it.data_type() == DataType::Float as i32)
        };
        let can_be = |node: &NodeProto| {
            node.op_type() == "Conv"
                && node.domain().is_empty()
                && node.input.len() >= 2
                && node.input[1..].iter().all(is_float)
        };
        (0..self.nodes.len()).filter(|index| can_be(&self.nodes[*index])).collect()
    }

    /// Returns the names of the tensors to quantise: the inputs and outputs of convolutions, and those of operators that
    /// can pass on 8 bits.
    fn activations(&self, convolutions: &[usize]) -> Vec<String> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for input in self.nodes.iter().flat_map(|node| &node.input) {
            *uses.entry(input).or_default() += 1;
        }
        let mut found = Vec::new();
        let mut known = HashSet::new();
        let mut add = |name: &str, known: &mut HashSet<String>| {
            if known.insert(name.to_owned()) {
                found.push(name.to_owned());
            }
        };
        let mut ends = HashSet::new();
        for index in convolutions {
            let node = &self.nodes[*index];
            add(&node.input[0], &mut known);
            ends.insert(node.output[0].as_str());
        }
        for node in &self.nodes {
            let is_own = node.domain().is_empty();
            let Some(output) = node.output.first() else { continue };
            let operator = node.op_type();
            if is_own && CLIPPING.contains(&operator) && ends.contains(node.input[0].as_str()) {
                if uses[node.input[0].as_str()] == 1 {
                    ends.remove(node.input[0].as_str());
                }
                ends.insert(output);
            }
            let is_quantised = |input: &String| ends.contains(input.as_str());
            if is_own && PASSING.contains(&operator) && node.input.iter().all(is_quantised) {
                ends.insert(output);
            }
        }
        // In the order of the nodes, so that the file is the same each time.
        for node in &self.nodes {
            for output in node.output.iter().filter(|output| ends.contains(output.as_str())) {
                add(output, &mut known);
            }
        }
        found
    }

    /// Returns the graph with quantised convolutions and activations.
    fn quantized(
        mut self,
        convolutions: &[usize],
        scales: &HashMap<String, Scale>,
    ) -> Result<Vec<u8>, Int8Error> {
        let convolutions: HashSet<usize> = convolutions.iter().copied().collect();
        let mut written: Vec<u8> = self.others.concat();
        let mut nodes = Vec::new();
        let mut constants = Vec::new();
        let mut replaced = HashSet::new();
        let produced: HashSet<&String> = self.nodes.iter().flat_map(|node| &node.output).collect();
        let mut outside: Vec<_> = scales.keys().filter(|name| !produced.contains(name)).collect();
        outside.sort();
        for name in outside {
            nodes.extend(pair(name, scales[name], &mut constants));
        }
        for (index, original) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            let mut changed = original.clone();
            for input in &mut changed.input {
                if scales.contains_key(input) {
                    *input = dequantized(input);
                }
            }
            if convolutions.contains(&index) {
                let by_channel = self.weights(&original, scales[&original.input[0]])?;
                for (input, (node, tensors)) in changed.input[1..].iter_mut().zip(by_channel) {
                    replaced.insert(input.clone());
                    input.clone_from(&node.output[0]);
                    nodes.push(node);
                    constants.extend(tensors);
                }
            }
            nodes.push(changed);
            for output in &original.output {
                if let Some(scale) = scales.get(output) {
                    nodes.extend(pair(output, *scale, &mut constants));
                }
            }
        }
        let still_used: HashSet<&String> = nodes.iter().flat_map(|node| &node.input).collect();
        for node in &nodes {
            put(&mut written, NODE, &node.encode_to_vec());
        }
        let mut kept: Vec<_> = self.constants.iter().collect();
        kept.sort_by_key(|(name, _)| *name);
        let kept = kept
            .into_iter()
            .filter(|(name, _)| !replaced.contains(*name) || still_used.contains(name));
        for tensor in kept.map(|(_, tensor)| tensor).chain(&constants) {
            put(&mut written, INITIALIZER, &tensor.encode_to_vec());
        }
        Ok(written)
    }

    /// Returns the nodes that dequantise the weights and the bias of a convolution, with their constants.
    fn weights(
        &self,
        convolution: &NodeProto,
        input: Scale,
    ) -> Result<Vec<(NodeProto, Vec<TensorProto>)>, LayersError> {
        let prefix = convolution.output[0].as_str();
        let weights = &self.constants[&convolution.input[1]];
        let channels = usize::try_from(weights.dims[0]).unwrap_or(0).max(1);
        let n_weights: i64 = weights.dims.iter().product();
        let n_weights = usize::try_from(n_weights).unwrap_or(0);
        let values: Vec<f32> = (0..n_weights).map(|index| number(weights, index)).collect();
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if values.is_empty() || !finite(&values) {
            return Err(LayersError::NotFinite);
        }
        let of_channel = n_weights / channels;
        let scales: Vec<f32> = values
            .chunks_exact(of_channel)
            .map(|weights| {
                let largest = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
                (largest / WEIGHT_STEPS).max(f32::MIN_POSITIVE)
            })
            .collect();
        let bytes = values
            .chunks_exact(of_channel)
            .zip(&scales)
            .flat_map(|(weights, scale)| weights.iter().map(move |weight| step(weight / scale)))
            .collect();
        let dims: Vec<usize> =
            weights.dims.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect();
        let name = |part: &str| format!("{prefix}_{part}");
        let tensors = vec![
            onnx::tensor(&name("int8"), DataType::Int8, &dims, bytes),
            floats(&name("scales"), &scales),
            onnx::tensor(&name("zeros"), DataType::Int8, &[channels], vec![0; channels]),
        ];
        let mut parts = vec![(by_channel(&tensors, &name("weights")), tensors)];
        if let Some(bias) = convolution.input.get(2) {
            let bias = &self.constants[bias];
            let scales: Vec<f32> = scales.iter().map(|scale| scale * input.scale).collect();
            let values: Vec<f32> = (0..channels).map(|channel| number(bias, channel)).collect();
            if !finite(&values) {
                return Err(LayersError::NotFinite);
            }
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            let steps =
                values.iter().zip(&scales).map(|(value, scale)| (value / scale).round() as i32);
            let bytes = steps.flat_map(i32::to_le_bytes).collect();
            let zeros = vec![0; 4 * channels];
            let tensors = vec![
                onnx::tensor(&name("int32"), DataType::Int32, &[channels], bytes),
                floats(&name("bias_scales"), &scales),
                onnx::tensor(&name("bias_zeros"), DataType::Int32, &[channels], zeros),
            ];
            parts.push((by_channel(&tensors, &name("bias")), tensors));
        }
        Ok(parts)
    }
}

/// Returns a weight as a number of steps.
fn step(weight: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let step = weight.round() as i8;
    step.to_le_bytes()[0]
}

fn floats(name: &str, values: &[f32]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    onnx::tensor(name, DataType::Float, &[values.len()], bytes)
}

/// Returns the node that dequantises a constant by channel. `tensors` are the steps, their scales and their zeros.
fn by_channel(tensors: &[TensorProto], output: &str) -> NodeProto {
    let inputs: Vec<_> = tensors.iter().map(TensorProto::name).collect();
    node("DequantizeLinear", &inputs, output, vec![integer("axis", 0)])
}

fn dequantized(name: &str) -> String {
    format!("{name}_dequantized")
}

/// Returns the two nodes that round a tensor to 8 bits, and adds their constants.
fn pair(
    name: &str,
    Scale { scale, zero }: Scale,
    constants: &mut Vec<TensorProto>,
) -> [NodeProto; 2] {
    let [scale_name, zero_name, bytes] =
        ["scale", "zero", "quantized"].map(|part| format!("{name}_{part}"));
    let bytes_of_scale = scale.to_le_bytes().to_vec();
    constants.push(onnx::tensor(&scale_name, DataType::Float, &[], bytes_of_scale));
    constants.push(onnx::tensor(&zero_name, DataType::Uint8, &[], vec![zero]));
    [
        node("QuantizeLinear", &[name, &scale_name, &zero_name], &bytes, vec![]),
        node("DequantizeLinear", &[&bytes, &scale_name, &zero_name], &dequantized(name), vec![]),
    ]
}
