//! Convolution, batch norm, `ReLU` and pooling as one fused operation on the CPU.
//!
//! burn's CPU kernels read and write memory once for each of them, and compute the gradients of a convolution as convolutions
//! with kernels as large as an image.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::{Tensor, TensorData};
use siamese_kernels::{Geometry, Seen, Statistics, Trained, Unit, Weights};

/// The backend with gradients that the trainer uses.
type Training = Autodiff<Flex, NoCheckpointing>;

/// Applies convolution, batch norm, `ReLU`, and 2x2 max pooling if `pooled`; `None` if the kernels do not support it.
///
/// On a device with gradients, batch norm uses the statistics of the batch and updates its running statistics, as
/// [`BatchNorm`] does.
///
/// # Shapes
///
/// - `maps`: `[n, in, height, width]`
/// - out: `[n, out, height, width]` of what the convolution gives, or half the sides
pub(super) fn unit(
    maps: &Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    pooled: bool,
) -> Option<Tensor<4>> {
    let unit = fusible(maps, convolution, norm, pooled)?;
    let learns = maps.device().is_autodiff();
    if learns && !norm.training.is_enabled() {
        // With gradients, a frozen batch norm uses its running statistics. burn handles this case.
        return None;
    }
    let weights = convolution.weight.val();
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    if learns {
        let (maps, statistics) = train(unit, maps.clone(), weights, gamma, beta)?;
        remember(norm, &statistics);
        Some(maps)
    } else {
        let running = [norm.running_mean.value(), norm.running_var.value()];
        evaluate(unit, maps.clone(), [gamma, beta], running, weights)
    }
}

/// Returns the unit for the kernels, if they support it.
fn fusible(maps: &Tensor<4>, convolution: &Conv2d, norm: &BatchNorm, pooled: bool) -> Option<Unit> {
    let [_, inputs, height, width] = maps.dims();
    let [outputs, _, kernel, across] = convolution.weight.dims();
    let [stride, stride_across] = convolution.stride;
    let PaddingConfig2d::Explicit(padding, left, bottom, right) = convolution.padding else {
        return None;
    };
    let plain = kernel == across
        && stride == stride_across
        && [left, bottom, right] == [padding; 3]
        && padding < kernel
        && kernel <= height.min(width) + 2 * padding
        && 0 < stride
        && convolution.dilation == [1, 1]
        && convolution.groups == 1
        && convolution.bias.is_none();
    let side = [height, width];
    let geometry = Geometry { channels: [inputs, outputs], kernel, stride, padding, side };
    plain.then_some(Unit { geometry, pooled, epsilon: norm.epsilon })
}

/// Updates the running statistics of a batch norm with those of a batch.
fn remember(norm: &BatchNorm, statistics: &Statistics) {
    let state = [(&norm.running_mean, &statistics.mean), (&norm.running_var, &statistics.variance)];
    for (running, of_batch) in state {
        let before = running.value_sync();
        let of_batch = Tensor::<1>::from_data(of_batch.as_slice(), &before.device());
        let moved = before.mul_scalar(1.0 - norm.momentum) + of_batch.mul_scalar(norm.momentum);
        running.update(moved.detach());
    }
}

/// Evaluates the unit, if the tensors are on the CPU.
fn evaluate(
    unit: Unit,
    maps: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    weights: Tensor<4>,
) -> Option<Tensor<4>> {
    let n_maps = maps.dims()[0];
    let maps = flat(&maps.try_into_primitive::<Flex>().ok()?);
    let weights = flat(&weights.try_into_primitive::<Flex>().ok()?);
    let vector =
        |values: Tensor<1>| values.try_into_primitive::<Flex>().ok().map(|tensor| flat(&tensor));
    let (gamma, beta) = (vector(gamma)?, vector(beta)?);
    let statistics = Statistics {
        mean: values(&vector(mean)?).to_vec(),
        variance: values(&vector(variance)?).to_vec(),
    };
    let weights =
        Weights { convolution: values(&weights), gamma: values(&gamma), beta: values(&beta) };
    let results = unit.evaluate(values(&maps), weights, &statistics);
    Some(Tensor::from_primitive::<Flex>(tensor(results, &shape(unit, n_maps))))
}

/// Applies the unit in training, if the tensors are on the CPU; also returns the statistics of the batch.
fn train(
    unit: Unit,
    maps: Tensor<4>,
    weights: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
) -> Option<(Tensor<4>, Statistics)> {
    let n_maps = maps.dims()[0];
    let (maps, maps_node) = maps.try_into_primitive::<Training>().ok()?.into_parts();
    let (weights, weights_node) = weights.try_into_primitive::<Training>().ok()?.into_parts();
    let (gamma, gamma_node) = gamma.try_into_primitive::<Training>().ok()?.into_parts();
    let (beta, beta_node) = beta.try_into_primitive::<Training>().ok()?.into_parts();
    let [maps, weights, gamma, beta] = [maps, weights, gamma, beta].map(|tensor| flat(&tensor));
    let Trained { results, convolved, statistics } = unit.train(
        values(&maps),
        Weights { convolution: values(&weights), gamma: values(&gamma), beta: values(&beta) },
    );
    let results = tensor(results, &shape(unit, n_maps));
    let nodes = [maps_node, weights_node, gamma_node, beta_node];
    let prepared = FusedUnit.prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
    let results = match prepared {
        OpsKind::Tracked(prepared) => {
            let saved = Saved { convolved, statistics: statistics.clone() };
            prepared.finish(State { unit, maps, weights, gamma, beta, saved }, results)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(results),
    };
    Some((Tensor::from_primitive::<Training>(results), statistics))
}

/// The operation in burn's graph.
#[derive(Debug)]
struct FusedUnit;

/// The values that the gradients need.
#[derive(Clone, Debug)]
struct State {
    unit: Unit,
    maps: FlexTensor,
    weights: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    saved: Saved,
}

#[derive(Clone, Debug)]
struct Saved {
    convolved: Vec<f32>,
    statistics: Statistics,
}

impl Backward<Flex, 4> for FusedUnit {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State { unit, maps, weights, gamma, beta, saved } = ops.state;
        let gradient = flat(&gradients.consume::<Flex>(&ops.node));
        let [of_maps, of_weights, of_gamma, of_beta] = ops.parents;
        let seen = Seen {
            images: values(&maps),
            convolved: &saved.convolved,
            statistics: &saved.statistics,
        };
        let learned =
            Weights { convolution: values(&weights), gamma: values(&gamma), beta: values(&beta) };
        let made = unit.gradients(seen, learned, values(&gradient), of_maps.is_some());
        if let (Some(node), Some(images)) = (of_maps, made.images) {
            gradients.register::<Flex>(node.id, tensor(images, &maps.shape()));
        }
        let rest = [
            (of_weights, made.convolution, &weights),
            (of_gamma, made.gamma, &gamma),
            (of_beta, made.beta, &beta),
        ];
        for (node, made, like) in rest {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, tensor(made, &like.shape()));
            }
        }
    }
}

/// Makes the values of a tensor contiguous.
fn flat(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("flat, and in single precision as all of a network is")
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

fn shape(unit: Unit, n_maps: usize) -> [usize; 4] {
    let [height, width] = unit.side();
    [n_maps, unit.geometry.channels[1], height, width]
}

#[cfg(test)]
mod tests;
