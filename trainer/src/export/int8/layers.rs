//! Quantisation of the large linear layers of an ONNX file to 8 bits.
//!
//! It uses `MatMulNBits` (com.microsoft, version 1), which quantises activations by row and block. The embedding of an
//! image then does not depend on the other images of the batch. `DynamicQuantizeLinear` uses one scale for the whole
//! batch. `MatMulInteger` saturates on processors without instructions for 8-bit products.

use std::collections::{HashMap, HashSet};

use prost::Message;
use siamese_core::model::NotOnnx;
use siamese_core::model::onnx::graph::{INITIALIZER, NODE};
use siamese_core::model::onnx::model::{GRAPH, OPSET_IMPORT};
use siamese_core::model::protobuf::{Field, fields, put};
use thiserror::Error;

use super::blocks::{BLOCK, Blocks};
use crate::onnx::{
    self, DataType, NodeProto, OperatorSetIdProto, TensorProto, integer, operators, signed,
};

/// The smallest number of weights of a quantised layer, 4 MiB in single precision. Smaller layers fit in a processor's
/// cache.
pub(super) const LEAST_WEIGHTS: usize = 1 << 20;
/// Activations are also rounded to 8 bits, so the products are integers.
const ACCURACY_LEVEL: i64 = 4;
const DOMAIN: &str = "com.microsoft";

/// A file cannot be quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LayersError {
    /// The file is not ONNX.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// The file has no large linear layer.
    #[error(
        "the model has no convolution whose weights are in single precision, and no linear layer with {LEAST_WEIGHTS} such \
         weights or more, so int8 has no benefit: serve the model unchanged"
    )]
    NoneLarge,
    /// A weight is not finite.
    #[error("the model has a weight that is not finite")]
    NotFinite,
}

/// Returns the file with its large linear layers in 8 bits. Everything else is unchanged.
pub(super) fn quantize(onnx: &[u8]) -> Result<Vec<u8>, LayersError> {
    let mut written = Vec::with_capacity(onnx.len() / 3);
    let mut imported = false;
    for Field { number, body, whole, .. } in fields(onnx)? {
        match (number, body) {
            (GRAPH, Some(graph)) => put(&mut written, GRAPH, &quantize_graph(graph)?),
            (OPSET_IMPORT, Some(import)) => {
                imported |= decode::<OperatorSetIdProto>(import)?.domain() == DOMAIN;
                written.extend_from_slice(whole);
            }
            _ => written.extend_from_slice(whole),
        }
    }
    if !imported {
        put(&mut written, OPSET_IMPORT, &operators(DOMAIN, 1).encode_to_vec());
    }
    Ok(written)
}

fn quantize_graph(graph: &[u8]) -> Result<Vec<u8>, LayersError> {
    let fields = fields(graph)?;
    let mut tensors = Vec::new();
    let mut nodes = Vec::new();
    let mut written = Vec::new();
    for field in &fields {
        match (field.number, field.body) {
            (INITIALIZER, Some(body)) => tensors.push((decode::<TensorProto>(body)?, field.whole)),
            (NODE, Some(body)) => nodes.push((decode::<NodeProto>(body)?, field.whole)),
            _ => written.extend_from_slice(field.whole),
        }
    }
    let by_name: HashMap<&str, &TensorProto> =
        tensors.iter().map(|(it, _)| (it.name(), it)).collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for input in nodes.iter().flat_map(|(it, _)| &it.input) {
        *uses.entry(input).or_default() += 1;
    }

    let mut replaced = HashSet::new();
    for (node, whole) in &nodes {
        let layer = Layer::of(node, &by_name).filter(|layer| uses[layer.weights.name()] == 1);
        let Some(layer) = layer else {
            written.extend_from_slice(whole);
            continue;
        };
        let (node, tensors) = layer.quantize().ok_or(LayersError::NotFinite)?;
        put(&mut written, NODE, &node.encode_to_vec());
        for tensor in tensors {
            put(&mut written, INITIALIZER, &tensor.encode_to_vec());
        }
        replaced.insert(layer.weights.name());
    }
    if replaced.is_empty() {
        return Err(LayersError::NoneLarge);
    }
    for (tensor, whole) in &tensors {
        if !replaced.contains(tensor.name()) {
            written.extend_from_slice(whole);
        }
    }
    Ok(written)
}

/// A large linear layer.
struct Layer<'a> {
    node: &'a NodeProto,
    weights: &'a TensorProto,
    /// Whether the weights are stored as `[outputs, inputs]`, not as `[inputs, outputs]`.
    by_output: bool,
    inputs: usize,
    outputs: usize,
}

impl<'a> Layer<'a> {
    /// Returns the layer if the node is a large linear layer with constant weights in single precision.
    fn of(node: &'a NodeProto, tensors: &HashMap<&str, &'a TensorProto>) -> Option<Self> {
        if !node.domain().is_empty() {
            return None;
        }
        let weights = *tensors.get(node.input.get(1)?.as_str())?;
        let [rows, columns] = <[i64; 2]>::try_from(weights.dims.clone()).ok()?;
        let [rows, columns] = [usize::try_from(rows).ok()?, usize::try_from(columns).ok()?];
        let count = rows.checked_mul(columns)?;
        let stated = weights.float_data.len().max(weights.raw_data().len() / size_of::<f32>());
        let is_single = weights.data_type() == i32::from(DataType::Float);
        if !is_single || count < LEAST_WEIGHTS || stated != count {
            return None;
        }
        let by_output = match node.op_type() {
            "MatMul" => false,
            "Gemm" => transposes_weights_alone(node)?,
            _ => return None,
        };
        let [outputs, inputs] = if by_output { [rows, columns] } else { [columns, rows] };
        if let Some(bias) = bias(node) {
            // ONNX allows a bias of any shape that can be broadcast; MatMulNBits does not.
            let dims = &tensors.get(bias.as_str())?.dims;
            if *dims != [i64::try_from(outputs).ok()?] {
                return None;
            }
        }
        Some(Self { node, weights, by_output, inputs, outputs })
    }

    /// Returns the 8-bit node and its weights; `None` if a weight is not finite.
    fn quantize(&self) -> Option<(NodeProto, [TensorProto; 2])> {
        let Self { node, weights, by_output, inputs, outputs } = *self;
        let index = |output, input| {
            if by_output { output * inputs + input } else { input * outputs + output }
        };
        let Blocks { bytes, scales } =
            Blocks::of([outputs, inputs], |output, input| number(weights, index(output, input)))?;
        let count = inputs.div_ceil(BLOCK);
        let scales = scales.into_iter().flat_map(f32::to_le_bytes).collect();
        let tensor = |suffix, element, shape: &[usize], bytes| {
            onnx::tensor(&format!("{}_{suffix}", weights.name()), element, shape, bytes)
        };
        let tensors = [
            tensor("int8", DataType::Uint8, &[outputs, count, BLOCK], bytes),
            tensor("scales", DataType::Float, &[outputs, count], scales),
        ];
        let mut input = vec![node.input[0].clone()];
        input.extend(tensors.iter().map(|tensor| tensor.name().to_owned()));
        if let Some(bias) = bias(node) {
            // The two optional inputs before the bias are zero points and an order of the inputs.
            input.extend([String::new(), String::new(), bias.clone()]);
        }
        let node = NodeProto {
            input,
            output: node.output.clone(),
            name: node.name.clone(),
            op_type: Some("MatMulNBits".to_owned()),
            attribute: vec![
                integer("K", signed(inputs)),
                integer("N", signed(outputs)),
                integer("bits", 8),
                integer("block_size", signed(BLOCK)),
                integer("accuracy_level", ACCURACY_LEVEL),
            ],
            domain: Some(DOMAIN.to_owned()),
            ..NodeProto::default()
        };
        Some((node, tensors))
    }
}

/// Returns whether a `Gemm` transposes its weights; `None` if it also scales or transposes its input.
fn transposes_weights_alone(node: &NodeProto) -> Option<bool> {
    let attribute = |name| node.attribute.iter().find(move |attribute| attribute.name() == name);
    let scales =
        ["alpha", "beta"].into_iter().filter_map(attribute).filter_map(|attribute| attribute.f);
    let flag = |name| attribute(name).and_then(|attribute| attribute.i).unwrap_or(0) != 0;
    let plain =
        scales.into_iter().all(|scale| scale.to_bits() == 1.0_f32.to_bits()) && !flag("transA");
    plain.then(|| flag("transB"))
}

fn bias(node: &NodeProto) -> Option<&String> {
    node.input.get(2).filter(|name| !name.is_empty())
}

/// Returns a number of a tensor in single precision, by its index in row-major order.
pub(super) fn number(tensor: &TensorProto, index: usize) -> f32 {
    match tensor.raw_data().get(4 * index..4 * index + 4) {
        Some(bytes) => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
        None => tensor.float_data[index],
    }
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, NotOnnx> {
    M::decode(bytes).map_err(|_| NotOnnx)
}

#[cfg(test)]
mod tests {
    use siamese_core::model::{Model, OnnxModel, Options, rewrite};
    use siamese_core::preprocessing::Pixels;
    use tempfile::TempDir;

    use super::*;
    use crate::onnx::{AttributeProto, GraphProto, ModelProto, float, node, value};

    const SIDE: usize = 32;
    const INPUTS: usize = SIDE * SIDE;
    const OUTPUTS: usize = LEAST_WEIGHTS / INPUTS;

    fn tensor(name: &str, dims: &[usize], factor: usize) -> TensorProto {
        let numbers = (0..dims.iter().product::<usize>()).map(|at| {
            f32::from(u16::try_from(at * factor % 1999).expect("below 1999")) / 999.5 - 1.0
        });
        onnx::tensor(name, DataType::Float, dims, numbers.flat_map(f32::to_le_bytes).collect())
    }

    /// Makes a model of one linear layer with the given operator and attributes.
    fn model(operator: &str, settings: Vec<AttributeProto>, bias: bool) -> ModelProto {
        let inputs = if bias { &["row", "w", "b"][..] } else { &["row", "w"] };
        let linear = node(operator, inputs, "embedding", settings);
        ModelProto {
            ir_version: Some(8),
            graph: Some(GraphProto {
                node: vec![node("Flatten", &["pixels"], "row", vec![]), linear],
                name: Some("linear".to_owned()),
                initializer: vec![
                    tensor("w", &[INPUTS, OUTPUTS], 104_729),
                    tensor("b", &[OUTPUTS], 7919),
                ],
                input: vec![value("pixels", &[1, SIDE, SIDE])],
                output: vec![value("embedding", &[OUTPUTS])],
                ..GraphProto::default()
            }),
            opset_import: vec![operators("", 17)],
            ..ModelProto::default()
        }
    }

    fn embedding(onnx: &[u8]) -> Vec<f32> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("model.onnx");
        let card = [("siamese.input", SIDE.to_string()), ("siamese.colour", "grey".to_owned())];
        let card = card.map(|(key, value)| (key.to_owned(), value));
        std::fs::write(&path, rewrite(onnx, &card).expect("ONNX")).expect("a file");
        let mut model = OnnxModel::load(&path, &Options::default()).expect("a model");
        let pixels =
            (0..INPUTS).map(|index| f32::from(u8::try_from(index * 37 % 256).expect("a byte")));
        let embedded = model.embed(&[Pixels::new(pixels.collect())]).expect("a run").remove(0);
        embedded.expect("finite").coordinates().to_vec()
    }

    #[track_caller]
    fn agrees(model: &ModelProto) {
        let onnx = model.encode_to_vec();
        let smaller = quantize(&onnx).expect("a large layer");
        assert!(3 * smaller.len() < onnx.len(), "{} of {} bytes", smaller.len(), onnx.len());
        let [before, after] = [onnx, smaller].map(|onnx| embedding(&onnx));
        let norm = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|value| value * value).sum::<f32>().sqrt()
        };
        let off = norm(&mut before.iter().zip(&after).map(|(a, b)| a - b));
        let off = off / norm(&mut before.iter().copied());
        // The input is not correlated with the weights, so the sums are small compared with their terms.
        assert!(0.0 < off && off < 0.05, "{off}");
    }

    #[track_caller]
    fn is_left(model: &ModelProto) {
        assert_eq!(quantize(&model.encode_to_vec()), Err(LayersError::NoneLarge));
    }

    #[test]
    fn a_quantised_layer_gives_nearly_the_same_output() {
        agrees(&model("MatMul", vec![], false));
        agrees(&model("Gemm", vec![], true));
        agrees(&model("Gemm", vec![float("alpha", 1.0), integer("transB", 1)], true));
        let mut by_number = model("Gemm", vec![], false);
        let graph = by_number.graph.as_mut().expect("a graph");
        let weights = &mut graph.initializer[0];
        weights.float_data = (0..LEAST_WEIGHTS).map(|at| number(weights, at)).collect();
        weights.raw_data = None;
        agrees(&by_number);
    }

    #[test]
    fn other_layers_are_unchanged() {
        is_left(&model("Gemm", vec![float("alpha", 0.5)], true));
        is_left(&model("Gemm", vec![integer("transA", 1)], true));
        is_left(&model("Mul", vec![], false));
        let with = |change: fn(&mut GraphProto)| {
            let mut model = model("Gemm", vec![], true);
            change(model.graph.as_mut().expect("a graph"));
            model
        };
        is_left(&with(|graph| graph.initializer[0] = tensor("w", &[INPUTS, OUTPUTS - 1], 7)));
        is_left(&with(|graph| graph.initializer[0].data_type = Some(DataType::Int64.into())));
        is_left(&with(|graph| graph.initializer[0].raw_data = None));
        is_left(&with(|graph| graph.initializer[1] = tensor("b", &[1, OUTPUTS], 7)));
        is_left(&with(|graph| graph.node.push(node("Identity", &["w"], "w2", vec![]))));
    }

    #[test]
    fn unknown_fields_are_kept() {
        let mut graph = model("MatMul", vec![], false).graph.expect("a graph").encode_to_vec();
        let (doc, model_doc) = (b"a graph's doc_string", b"a model's doc_string");
        put(&mut graph, 10, doc);
        let mut model = Vec::new();
        put(&mut model, 6, model_doc);
        put(&mut model, GRAPH, &graph);
        let smaller = quantize(&model).expect("a large layer");
        for kept in [&doc[..], model_doc] {
            assert!(smaller.windows(kept.len()).any(|window| window == kept));
        }
    }

    #[test]
    fn weights_that_are_not_finite_and_other_files_are_rejected() {
        let mut broken = model("MatMul", vec![], false);
        let graph = broken.graph.as_mut().expect("a graph");
        graph.initializer[0].raw_data.as_mut().expect("weights")[..4]
            .copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(quantize(&broken.encode_to_vec()), Err(LayersError::NotFinite));
        assert_eq!(quantize(&[0xff; 9]), Err(LayersError::NotOnnx(NotOnnx)));
    }
}
