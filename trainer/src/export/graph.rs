//! Conversion of networks to ONNX graphs in evaluation mode: batch norm uses its running statistics, and there is no
//! dropout.

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use siamese_core::model::{EMBEDDING, MAP};

use crate::network::{
    Baseline, Cells, Compact, Network, Scale, Standard, Unit, View, Wavelet, Weights,
};
use crate::onnx::{
    Builder, GraphProto, ValueInfoProto, float, integer, integers, map, signed, text, value,
};

/// The name of the graph's input, `[n, channels, height, width]`.
const INPUT: &str = "pixels";
/// The name of its output, `[n, width]`.
const OUTPUT: &str = "embedding";

/// Converts a network for images of `shape` (channels, height, width) to a graph.
pub(super) fn graph(network: &Network, shape: [usize; 3]) -> GraphProto {
    let mut graph = Builder::default();
    let (embedding, width) = match network {
        Network::Baseline(network) => (baseline(&mut graph, network), Baseline::WIDTH),
        Network::Compact(network) => {
            let [_, width] = network.head.weight.dims();
            (compact(&mut graph, network, shape, width), width)
        }
        Network::Wavelet(network) => {
            let [_, width] = network.head.weight.dims();
            (wavelet(&mut graph, network, shape), width)
        }
        Network::Head(_) | Network::Cells(_) => {
            unreachable!("a head is exported with its backbone")
        }
    };
    graph.named("Identity", &[&embedding], OUTPUT);
    GraphProto {
        node: graph.nodes,
        name: Some("model".to_owned()),
        initializer: graph.weights,
        input: vec![value(INPUT, &shape)],
        output: vec![value(OUTPUT, &[width])],
        ..GraphProto::default()
    }
}

/// Adds a head of cells to the maps of its backbone. Returns the nodes, and their outputs: the embedding of an image, which is
/// the mean of its cells, and the map of its cells.
pub(super) fn cells(network: &Cells, [fine, coarse]: [&str; 2]) -> (Builder, [ValueInfoProto; 2]) {
    let mut graph = Builder::with_prefix("cells_");
    let fine = graph.standard(fine, &network.standard_fine);
    let fine = graph.unit(&fine, &network.fine);
    let down = graph.unit(&fine, &network.down);
    let coarse = graph.standard(coarse, &network.standard_coarse);
    let both = graph.node("Concat", &[&down, &coarse], vec![integer("axis", 1)]);
    let join = graph.unit(&both, &network.join);
    let weights = graph.parameter(&network.output.weight);
    let bias = network.output.bias.as_ref().map(|bias| graph.parameter(bias));
    let cells = graph.convolution(&join, &weights, bias.as_deref(), &network.output);
    graph.named("Identity", &[&cells], MAP);
    let mean = graph.node("GlobalAveragePool", &[&cells], vec![]);
    graph.named("Flatten", &[&mean], EMBEDDING);
    let [width, ..] = network.output.weight.dims();
    (graph, [value(EMBEDDING, &[width]), map(MAP, width)])
}

fn baseline(graph: &mut Builder, network: &Baseline) -> String {
    // One pixel on each side of height and width.
    let pads = graph.integers(&[0, 0, 1, 1, 0, 0, 1, 1]);
    let mut last = INPUT.to_owned();
    for block in &network.blocks {
        last = graph.node("Pad", &[&last, &pads], vec![text("mode", "reflect")]);
        let weights = graph.parameter(&block.convolution.weight);
        let bias = block.convolution.bias.as_ref().map(|bias| graph.parameter(bias));
        last = graph.convolution(&last, &weights, bias.as_deref(), &block.convolution);
        last = graph.node("Relu", &[&last], vec![]);
        last = graph.batch_norm(&last, &block.norm);
    }
    last = graph.node("Flatten", &[&last], vec![]);
    for (index, layer) in network.linears.iter().enumerate() {
        if 0 < index {
            last = graph.node("Relu", &[&last], vec![]);
        }
        last = graph.linear(&last, layer);
    }
    last
}

fn compact(
    graph: &mut Builder,
    network: &Compact,
    shape @ [channels, _, _]: [usize; 3],
    width: usize,
) -> String {
    let mut last = INPUT.to_owned();
    let views = network.views();
    if !views.is_empty() {
        last = graph.with_views(&last, views, shape);
    }
    last = graph.standardised(&last, channels, Compact::EPSILON);
    last = graph.unit(&last, &network.stem);
    for units in &network.blocks {
        for unit in units {
            last = graph.unit(&last, unit);
        }
        let window = vec![integers("kernel_shape", vec![2, 2]), integers("strides", vec![2, 2])];
        last = graph.node("MaxPool", &[&last], window);
    }
    last = graph.node("Flatten", &[&last], vec![]);
    last = graph.linear(&last, &network.head);
    if !views.is_empty() {
        last = graph.views_averaged(&last, 1 + views.len(), width);
    }
    last
}

fn wavelet(graph: &mut Builder, network: &Wavelet, [channels, _, _]: [usize; 3]) -> String {
    let images = graph.standardised(INPUT, channels, Compact::EPSILON);
    let scales = network.scales().iter();
    let features: Vec<_> = scales.map(|scale| graph.scale(&images, scale)).collect();
    let features: Vec<_> = features.iter().map(String::as_str).collect();
    let features = graph.node("Concat", &features, vec![integer("axis", 1)]);
    graph.linear(&features, &network.head)
}

impl Builder {
    fn convolution(
        &mut self,
        input: &str,
        weights: &str,
        bias: Option<&str>,
        layer: &Conv2d,
    ) -> String {
        let PaddingConfig2d::Explicit(top, left, bottom, right) = layer.padding else {
            unreachable!("every convolution here states its padding")
        };
        let pads = [top, left, bottom, right].map(signed);
        let settings = vec![
            integers("kernel_shape", layer.kernel_size.map(signed).to_vec()),
            integers("strides", layer.stride.map(signed).to_vec()),
            integers("pads", pads.to_vec()),
        ];
        let inputs: Vec<&str> = [input, weights].into_iter().chain(bias).collect();
        self.node("Conv", &inputs, settings)
    }

    /// Appends the views of the images to the batch.
    fn with_views(&mut self, images: &str, views: &[View], shape: [usize; 3]) -> String {
        let [channels, height, width] = shape.map(signed);
        let flat = self.integers(&[0, channels, height * width]);
        let flat = self.node("Reshape", &[images, &flat], vec![]);
        let whole = self.integers(&[0, channels, height, width]);
        let mut all = vec![images.to_owned()];
        for view in views {
            let indices: Vec<_> = view.indices.iter().map(|index| signed(*index)).collect();
            let indices = self.integers(&indices);
            let taps = self.node("Gather", &[&flat, &indices], vec![integer("axis", 2)]);
            let by_tap = self.integers(&[0, channels, signed(View::TAPS), height * width]);
            let taps = self.node("Reshape", &[&taps, &by_tap], vec![]);
            let weights = self.floats(view.weights.clone(), &[View::TAPS, shape[1] * shape[2]]);
            let weighted = self.node("Mul", &[&taps, &weights], vec![]);
            let over_taps = self.integers(&[2]);
            let keep = vec![integer("keepdims", 0)];
            let sum = self.node("ReduceSum", &[&weighted, &over_taps], keep);
            all.push(self.node("Reshape", &[&sum, &whole], vec![]));
        }
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        self.node("Concat", &all, vec![integer("axis", 0)])
    }

    /// Averages the rows of a batch over `n_views` consecutive views.
    fn views_averaged(&mut self, rows: &str, n_views: usize, width: usize) -> String {
        let apart = self.integers(&[signed(n_views), -1, signed(width)]);
        let apart = self.node("Reshape", &[rows, &apart], vec![]);
        let axis = vec![integers("axes", vec![0]), integer("keepdims", 0)];
        self.node("ReduceMean", &[&apart], axis)
    }

    /// Standardises each channel of each image to mean 0 and variance 1.
    fn standardised(&mut self, images: &str, channels: usize, epsilon: f64) -> String {
        let scale = self.floats(vec![1.0; channels], &[channels]);
        let shift = self.floats(vec![0.0; channels], &[channels]);
        let epsilon = vec![float("epsilon", single(epsilon))];
        self.node("InstanceNormalization", &[images, &scale, &shift], epsilon)
    }

    /// Computes the strength of the wavelets of one scale in each cell, `[n, orientations * cells]`.
    fn scale(&mut self, images: &str, scale: &Scale) -> String {
        let [orientations, parts, rows, columns] = scale.waves().map(signed);
        let [across, down] = [&scale.across, &scale.down].map(|weights| self.fixed(weights));
        let waves = self.node("MatMul", &[images, &across], vec![]);
        // Stacks the real and imaginary parts of each orientation along the rows.
        let below = self.integers(&[0, orientations, -1, columns]);
        let waves = self.node("Reshape", &[&waves, &below], vec![]);
        let waves = self.node("MatMul", &[&down, &waves], vec![]);
        let apart = self.integers(&[0, orientations, parts, rows, columns]);
        let waves = self.node("Reshape", &[&waves, &apart], vec![]);
        let axes = vec![integers("axes", vec![2]), integer("keepdims", 0)];
        let sum = self.node("ReduceSumSquare", &[&waves], axes);
        let epsilon = self.floats(vec![single(Wavelet::EPSILON)], &[1]);
        let sum = self.node("Add", &[&sum, &epsilon], vec![]);
        let strength = self.node("Sqrt", &[&sum], vec![]);
        let [rows, columns] = [&scale.rows, &scale.columns].map(|weights| self.fixed(weights));
        let by_row = self.node("MatMul", &[&rows, &strength], vec![]);
        let by_cell = self.node("MatMul", &[&by_row, &columns], vec![]);
        let root = self.node("Sqrt", &[&by_cell], vec![]);
        let root = self.node("Sqrt", &[&root], vec![]);
        self.node("Flatten", &[&root], vec![])
    }

    /// Standardises each channel of a map as it was measured.
    fn standard(&mut self, map: &str, standard: &Standard) -> String {
        let [scale, offset] = [&standard.scale, &standard.offset].map(|it| self.parameter(it));
        let scaled = self.node("Mul", &[map, &scale], vec![]);
        self.node("Add", &[&scaled, &offset], vec![])
    }

    fn fixed<const D: usize>(&mut self, weights: &Weights<D>) -> String {
        self.floats(weights.values.clone(), &weights.shape)
    }

    /// Adds a convolution with the following batch norm folded into it, and its `ReLU`.
    fn unit(&mut self, input: &str, unit: &Unit) -> String {
        let (scale, shift) = affine(&unit.norm);
        let weights = values(&unit.convolution.weight.val());
        let shape = unit.convolution.weight.dims();
        let an_output = weights.len() / scale.len();
        let folded = weights
            .chunks_exact(an_output)
            .zip(&scale)
            .flat_map(|(weights, scale)| {
                weights.iter().map(move |weight| single(f64::from(*weight) * scale))
            })
            .collect();
        let weights = self.floats(folded, &shape);
        let bias = self.floats(shift.into_iter().map(single).collect(), &[scale.len()]);
        let maps = self.convolution(input, &weights, Some(&bias), &unit.convolution);
        self.node("Relu", &[&maps], vec![])
    }

    fn batch_norm(&mut self, input: &str, norm: &BatchNorm) -> String {
        let parameters = [
            norm.gamma.val(),
            norm.beta.val(),
            norm.running_mean.value_sync(),
            norm.running_var.value_sync(),
        ];
        let [gamma, beta, mean, variance] = parameters.map(|tensor| self.tensor(&tensor));
        let epsilon = vec![float("epsilon", single(norm.epsilon))];
        self.node("BatchNormalization", &[input, &gamma, &beta, &mean, &variance], epsilon)
    }

    fn linear(&mut self, input: &str, layer: &Linear) -> String {
        let weights = self.parameter(&layer.weight);
        let bias = layer.bias.as_ref().map(|bias| self.parameter(bias));
        let inputs: Vec<&str> = [input, &weights].into_iter().chain(bias.as_deref()).collect();
        self.node("Gemm", &inputs, vec![])
    }

    fn parameter<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> String {
        self.tensor(&parameter.val())
    }

    fn tensor<const D: usize>(&mut self, tensor: &Tensor<D>) -> String {
        self.floats(values(tensor), &tensor.dims())
    }
}

/// Returns the factor and the offset of a batch norm in evaluation mode, for each channel.
fn affine(norm: &BatchNorm) -> (Vec<f64>, Vec<f64>) {
    let [gamma, beta, mean, variance] = [
        norm.gamma.val(),
        norm.beta.val(),
        norm.running_mean.value_sync(),
        norm.running_var.value_sync(),
    ]
    .map(|tensor| values(&tensor).into_iter().map(f64::from).collect::<Vec<_>>());
    let scale: Vec<_> =
        gamma.iter().zip(&variance).map(|(gamma, it)| gamma / (it + norm.epsilon).sqrt()).collect();
    let shift = beta
        .iter()
        .zip(mean)
        .zip(&scale)
        .map(|((beta, mean), scale)| beta - mean * scale)
        .collect();
    (scale, shift)
}

/// Returns the numbers of a tensor in row-major order.
pub(super) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_to_vec().expect("weights are in single precision")
}

#[expect(clippy::cast_possible_truncation, reason = "models are in single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
