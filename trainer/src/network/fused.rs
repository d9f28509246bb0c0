//! Convolution, batch norm, `ReLU` and pooling as one operation, where the CPU does the work.
//!
//! burn's own CPU kernels go through memory once for each of them, and take a convolution's
//! gradients for convolutions with kernels as large as a picture. On any other device the same is
//! made of burn's operations.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, TensorData};
use siamese_kernels::{Geometry, Seen, Statistics, Trained, Unit, Weights};

/// The device on which gradients are taken, as the trainer uses it.
type Training = Autodiff<Flex, NoCheckpointing>;

/// Convolution, batch norm, `ReLU`, and 2x2 max pooling where it is `pooled`.
///
/// The norm goes by the batch's statistics and moves its running ones where the maps are on a
/// device of gradients, as [`BatchNorm`] does.
///
/// # Shapes
///
/// - `maps`: `[n, in, height, width]`
/// - out: `[n, out, height, width]` of what the convolution gives, or half the sides
pub(super) fn unit(
    maps: Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    pooled: bool,
) -> Tensor<4> {
    let Some(unit) = fusible(&maps, convolution, norm, pooled) else {
        return apart(maps, convolution, norm, pooled);
    };
    let weights = convolution.weight.val();
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    if maps.device().is_autodiff() {
        match train(unit, maps.clone(), weights, gamma, beta) {
            Some((maps, statistics)) => {
                remember(norm, &statistics);
                maps
            }
            None => apart(maps, convolution, norm, pooled),
        }
    } else {
        let running = [norm.running_mean.value(), norm.running_var.value()];
        evaluate(unit, maps.clone(), [gamma, beta], running, weights)
            .unwrap_or_else(|| apart(maps, convolution, norm, pooled))
    }
}

/// The same, of burn's operations.
fn apart(maps: Tensor<4>, convolution: &Conv2d, norm: &BatchNorm, pooled: bool) -> Tensor<4> {
    let maps = relu(norm.forward(convolution.forward(maps)));
    if pooled { max_pool2d(maps, MaxPoolOptions::new([2, 2]).with_stride([2, 2])) } else { maps }
}

/// What the kernels are to do, if they can.
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
        && convolution.bias.is_none()
        && norm.training.is_enabled();
    let side = [height, width];
    let geometry = Geometry { channels: [inputs, outputs], kernel, stride, padding, side };
    plain.then_some(Unit { geometry, pooled, epsilon: norm.epsilon })
}

/// Moves a norm's running statistics towards those of a batch.
fn remember(norm: &BatchNorm, statistics: &Statistics) {
    let state = [(&norm.running_mean, &statistics.mean), (&norm.running_var, &statistics.variance)];
    for (running, of_batch) in state {
        let before = running.value_sync();
        let of_batch = Tensor::<1>::from_data(of_batch.as_slice(), &before.device());
        let moved = before.mul_scalar(1.0 - norm.momentum) + of_batch.mul_scalar(norm.momentum);
        running.update(moved.detach());
    }
}

/// Evaluation, if the tensors are the CPU's.
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
    let vector = |it: Tensor<1>| it.try_into_primitive::<Flex>().ok().map(|it| flat(&it));
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

/// Training, if the tensors are the CPU's; with the batch's statistics.
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
    let [maps, weights, gamma, beta] = [maps, weights, gamma, beta].map(|it| flat(&it));
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

/// What its gradients are made of.
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
            pictures: values(&maps),
            convolved: &saved.convolved,
            statistics: &saved.statistics,
        };
        let learned =
            Weights { convolution: values(&weights), gamma: values(&gamma), beta: values(&beta) };
        let made = unit.gradients(seen, learned, values(&gradient), of_maps.is_some());
        if let (Some(node), Some(pictures)) = (of_maps, made.pictures) {
            gradients.register::<Flex>(node.id, tensor(pictures, &maps.shape()));
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

/// A tensor whose values stand one after another.
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
mod tests {
    use burn::module::{Module, Param};
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::network::layers::{Convolution, batch_norm};
    use crate::network::uniform;

    #[derive(Module, Debug)]
    struct Layers {
        convolution: Conv2d,
        norm: BatchNorm,
    }

    fn layers(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Layers {
        let random = &mut ChaCha8Rng::seed_from_u64(1);
        let padding = kernel / 2;
        let convolution = Convolution { channels, kernel, stride, padding, bias: false };
        let mut norm = batch_norm(channels[1], device);
        norm.gamma = uniform([channels[1]], 1.0, random, device);
        norm.beta = uniform([channels[1]], 0.5, random, device);
        Layers { convolution: convolution.init(random, device), norm }
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("single precision")
    }

    #[track_caller]
    fn agree<const D: usize>(what: &str, ours: Tensor<D>, burns: Tensor<D>) {
        assert_eq!(ours.dims(), burns.dims(), "{what}");
        let (ours, burns) = (numbers(ours), numbers(burns));
        let largest = burns.iter().fold(0.0_f32, |largest, it| largest.max(it.abs()));
        for (at, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
            assert!((ours - burns).abs() <= 1e-4 * largest, "{what} {at}: {ours} is not {burns}");
        }
    }

    /// Holds results, all gradients, running statistics and evaluation to burn's operations.
    #[track_caller]
    fn check(maps: [usize; 4], outputs: usize, [kernel, stride]: [usize; 2], pooled: bool) {
        let device = Device::flex().autodiff();
        let random = &mut ChaCha8Rng::seed_from_u64(2);
        let values = uniform(maps, 1.0, random, &device).val();
        let both = [true, false].map(|is_ours| {
            let layers = layers([maps[1], outputs], kernel, stride, &device);
            let maps = values.clone().detach().require_grad();
            let results = if is_ours {
                assert!(fusible(&maps, &layers.convolution, &layers.norm, pooled).is_some());
                unit(maps.clone(), &layers.convolution, &layers.norm, pooled)
            } else {
                apart(maps.clone(), &layers.convolution, &layers.norm, pooled)
            };
            let random = &mut ChaCha8Rng::seed_from_u64(3);
            let wanted = uniform(results.dims(), 1.0, random, &device).val().detach();
            let gradients = (results.clone() * wanted).sum().backward();
            (layers, maps, results, gradients)
        });
        let [(ours, maps, results, gradients), (burns, burns_maps, burns_results, burns_gradients)] =
            both;
        agree("results", results, burns_results);
        let gradient = |it: &Tensor<4>, of: &_| it.grad(of).expect("a gradient");
        agree("maps", gradient(&maps, &gradients), gradient(&burns_maps, &burns_gradients));
        agree(
            "weights",
            gradient(&ours.convolution.weight.val(), &gradients),
            gradient(&burns.convolution.weight.val(), &burns_gradients),
        );
        let gradient = |it: &Param<Tensor<1>>, of: &_| it.val().grad(of).expect("a gradient");
        agree(
            "gamma",
            gradient(&ours.norm.gamma, &gradients),
            gradient(&burns.norm.gamma, &burns_gradients),
        );
        agree(
            "beta",
            gradient(&ours.norm.beta, &gradients),
            gradient(&burns.norm.beta, &burns_gradients),
        );
        let [ours, burns] = [ours, burns].map(|it| it.valid());
        agree("mean", ours.norm.running_mean.value(), burns.norm.running_mean.value());
        agree("variance", ours.norm.running_var.value(), burns.norm.running_var.value());
        let maps = values.inner();
        agree(
            "evaluation",
            unit(maps.clone(), &ours.convolution, &ours.norm, pooled),
            apart(maps, &burns.convolution, &burns.norm, pooled),
        );
    }

    #[test]
    fn a_unit_and_its_gradients_are_as_burns_operations_make_them() {
        check([3, 4, 16, 16], 7, [3, 1], false);
        check([3, 4, 16, 16], 7, [3, 1], true);
    }

    #[test]
    fn so_they_are_with_odd_sides() {
        check([2, 3, 7, 11], 5, [3, 1], false);
        check([2, 3, 7, 11], 5, [3, 1], true);
        check([2, 2, 5, 3], 13, [5, 1], true);
    }

    #[test]
    fn so_they_are_with_strides() {
        check([2, 1, 20, 20], 6, [5, 2], false);
        check([2, 3, 13, 9], 6, [5, 2], true);
        check([2, 2, 12, 10], 3, [3, 3], false);
    }

    #[test]
    fn so_they_are_with_as_many_pictures_as_fill_several_parts() {
        check([37, 2, 8, 8], 4, [3, 1], true);
    }

    #[test]
    fn a_unit_learns_where_its_maps_want_no_gradient() {
        let device = Device::flex().autodiff();
        let layers = layers([1, 2], 3, 1, &device);
        let maps = Tensor::ones([2, 1, 4, 4], &device);
        let results = unit(maps, &layers.convolution, &layers.norm, false);
        let gradients = results.sum().backward();
        assert!(layers.norm.beta.val().grad(&gradients).is_some());
    }

    #[test]
    fn what_is_no_plain_convolution_is_left_to_burn() {
        let device = Device::flex();
        let mut layers = layers([1, 2], 3, 1, &device);
        let maps = Tensor::ones([1, 1, 4, 4], &device);
        layers.convolution.dilation = [2, 2];
        assert!(fusible(&maps, &layers.convolution, &layers.norm, false).is_none());
    }
}
