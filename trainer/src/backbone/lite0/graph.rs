//! The graph of EfficientNet-lite0, from its weights.
//!
//! M. Tan, Q. Le, *`EfficientNet`: rethinking model scaling for convolutional neural networks*, ICML 2019. Lite0 has no
//! squeeze-and-excitation, and `ReLU6` instead of swish. The padding is that of TensorFlow's `SAME`. For sides that are
//! multiples of 32, it does not depend on the side.

use anyhow::{Context, ensure};
use pytorch_reader::{DType, PytorchReader};

use crate::onnx::{AttributeProto, Builder, integer, integers, signed};

/// A stage: `blocks` equal blocks, of which the first may have a stride.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    /// The factor by which a block widens its input.
    expansion: usize,
    width: usize,
}

const fn stage(
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    width: usize,
) -> Stage {
    Stage { blocks, kernel, stride, expansion, width }
}

/// Table 1 of the paper.
const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];
/// The last stage with one place for 4 pixels.
const FINE: usize = 1;
/// The last stage with one place for 8 pixels.
const SHALLOW: usize = 2;
/// The last stage with one place for 16 pixels.
const MIDDLE: usize = 4;
/// The last stage.
const DEEP: usize = 6;
const STEM: usize = 32;
const HEAD: usize = 1280;
/// TensorFlow's epsilon of batch norm for this network.
const EPSILON: f64 = 1e-3;

/// A convolution with its batch norm.
struct Convolution {
    outputs: usize,
    /// The number of input channels of each output.
    inputs: usize,
    kernel: usize,
    stride: usize,
    is_clipped: bool,
}

/// The maps of the network that features are taken from: names of tensors.
pub(super) struct Maps {
    /// One place for 8 pixels, [`Maps::SHALLOW`] channels.
    pub(super) shallow: String,
    /// One place for 16 pixels, [`Maps::MIDDLE`] channels.
    pub(super) middle: String,
    /// One place for 32 pixels, [`Maps::DEEP`] channels.
    pub(super) deep: String,
    /// One place for 32 pixels, [`Maps::LAST`] channels.
    pub(super) last: String,
}

impl Maps {
    pub(super) const SHALLOW: usize = STAGES[SHALLOW].width;
    pub(super) const MIDDLE: usize = STAGES[MIDDLE].width;
    pub(super) const DEEP: usize = STAGES[DEEP].width;
    pub(super) const LAST: usize = HEAD;
}

/// The maps of the first stages that cells are embedded from: names of tensors.
pub(super) struct CellMaps {
    /// One place for 4 pixels, [`CellMaps::FINE`] channels.
    pub(super) fine: String,
    /// One place for 8 pixels, [`CellMaps::COARSE`] channels.
    pub(super) coarse: String,
}

impl CellMaps {
    pub(super) const FINE: usize = STAGES[FINE].width;
    pub(super) const COARSE: usize = STAGES[SHALLOW].width;
}

/// Adds the network to `graph`, from the tensor `input` on.
pub(super) fn add(
    graph: &mut Builder,
    input: &str,
    weights: &PytorchReader,
) -> anyhow::Result<Maps> {
    let mut network = Adding::to(graph, weights);
    let ends = network.stages(input, &STAGES)?;
    let head = full(HEAD, Maps::DEEP);
    let last = network.convolution(&ends[DEEP], "_conv_head", "_bn1", &head)?;
    let [shallow, middle, deep] = [SHALLOW, MIDDLE, DEEP].map(|stage| ends[stage].clone());
    Ok(Maps { shallow, middle, deep, last })
}

/// Adds the first stages of the network to `graph`, from the tensor `input` on.
pub(super) fn add_first(
    graph: &mut Builder,
    input: &str,
    weights: &PytorchReader,
) -> anyhow::Result<CellMaps> {
    let ends = Adding::to(graph, weights).stages(input, &STAGES[..=SHALLOW])?;
    let [fine, coarse] = [FINE, SHALLOW].map(|stage| ends[stage].clone());
    Ok(CellMaps { fine, coarse })
}

/// A convolution of single places.
fn full(outputs: usize, inputs: usize) -> Convolution {
    Convolution { outputs, inputs, kernel: 1, stride: 1, is_clipped: true }
}

struct Adding<'a> {
    graph: &'a mut Builder,
    weights: &'a PytorchReader,
    /// The names of 0 and 6.
    range: [String; 2],
}

impl<'a> Adding<'a> {
    fn to(graph: &'a mut Builder, weights: &'a PytorchReader) -> Self {
        let zero = graph.floats(vec![0.0], &[]);
        let six = graph.floats(vec![6.0], &[]);
        Self { graph, weights, range: [zero, six] }
    }

    /// Adds the stem and the first stages. Returns the last tensor of each stage.
    fn stages(&mut self, input: &str, stages: &[Stage]) -> anyhow::Result<Vec<String>> {
        let stem = Convolution { outputs: STEM, inputs: 3, kernel: 3, stride: 2, is_clipped: true };
        let mut last = self.convolution(input, "_conv_stem", "_bn0", &stem)?;
        let mut width = STEM;
        let mut block = 0;
        let mut ends = Vec::with_capacity(stages.len());
        for stage in stages {
            for index in 0..stage.blocks {
                let stride = if index == 0 { stage.stride } else { 1 };
                let prefix = format!("_blocks.{block}");
                let name = |layer: &str| format!("{prefix}.{layer}");
                let before = last.clone();
                let widened = stage.expansion * width;
                if stage.expansion != 1 {
                    let expand = full(widened, width);
                    last =
                        self.convolution(&last, &name("_expand_conv"), &name("_bn0"), &expand)?;
                }
                let kernel = stage.kernel;
                let by_channel =
                    Convolution { outputs: widened, inputs: 1, kernel, stride, is_clipped: true };
                last =
                    self.convolution(&last, &name("_depthwise_conv"), &name("_bn1"), &by_channel)?;
                let project = Convolution { is_clipped: false, ..full(stage.width, widened) };
                last = self.convolution(&last, &name("_project_conv"), &name("_bn2"), &project)?;
                if stride == 1 && stage.width == width {
                    last = self.graph.node("Add", &[&last, &before], vec![]);
                }
                width = stage.width;
                block += 1;
            }
            ends.push(last.clone());
        }
        Ok(ends)
    }

    /// Adds a convolution with its batch norm folded into it, and its `ReLU6`.
    fn convolution(
        &mut self,
        input: &str,
        layer: &str,
        norm: &str,
        convolution: &Convolution,
    ) -> anyhow::Result<String> {
        let Convolution { outputs, inputs, kernel, stride, is_clipped } = *convolution;
        let shape = [outputs, inputs, kernel, kernel];
        let weights = self.tensor(&format!("{layer}.weight"), &shape)?;
        let of_norm = |part| self.tensor(&format!("{norm}.{part}"), &[outputs]);
        let (gamma, beta) = (of_norm("weight")?, of_norm("bias")?);
        let (mean, variance) = (of_norm("running_mean")?, of_norm("running_var")?);
        let factors: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| f64::from(*gamma) / (f64::from(*variance) + EPSILON).sqrt())
            .collect();
        let an_output = inputs * kernel * kernel;
        let folded = weights.chunks_exact(an_output).zip(&factors).flat_map(|(weights, factor)| {
            weights.iter().map(move |it| single(f64::from(*it) * factor))
        });
        let bias = beta
            .iter()
            .zip(&mean)
            .zip(&factors)
            .map(|((beta, mean), factor)| single(f64::from(*beta) - f64::from(*mean) * factor));
        let weights = self.graph.floats(folded.collect(), &shape);
        let bias = self.graph.floats(bias.collect(), &[outputs]);
        let groups = if inputs == 1 { outputs } else { 1 };
        let settings = settings(kernel, stride, groups);
        let map = self.graph.node("Conv", &[input, &weights, &bias], settings);
        if !is_clipped {
            return Ok(map);
        }
        let [zero, six] = &self.range;
        Ok(self.graph.node("Clip", &[&map, zero, six], vec![]))
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> anyhow::Result<Vec<f32>> {
        let tensor =
            self.weights.get(name).with_context(|| format!("there is no tensor {name}"))?;
        ensure!(
            tensor.shape() == shape && tensor.dtype() == DType::F32,
            "the tensor {name} is {:?} of shape {:?}, not F32 of shape {shape:?}",
            tensor.dtype(),
            tensor.shape()
        );
        // Strided tensors are read in row-major order.
        let bytes = tensor.read().with_context(|| format!("the tensor {name} can't be read"))?;
        let numbers =
            bytes.chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().expect("four bytes")));
        Ok(numbers.collect())
    }
}

/// With a stride, `SAME` pads less at the top and left than at the bottom and right.
fn settings(kernel: usize, stride: usize, groups: usize) -> Vec<AttributeProto> {
    let total = kernel - stride;
    let (before, after) = (total / 2, total - total / 2);
    vec![
        integers("kernel_shape", vec![signed(kernel); 2]),
        integers("strides", vec![signed(stride); 2]),
        integers("pads", [before, before, after, after].map(signed).to_vec()),
        integer("group", signed(groups)),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "models are in single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
