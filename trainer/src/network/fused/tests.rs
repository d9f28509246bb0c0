//! Compares the fused unit with burn's operations.

use burn::module::{Module, Param};
use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::network::layers::{Convolution, batch_norm};
use crate::network::uniform;
use crate::network::unit::of_burns_operations;

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

/// Applies the fused unit.
#[track_caller]
fn fused(maps: &Tensor<4>, layers: &Layers, pooled: bool) -> Tensor<4> {
    unit(maps, &layers.convolution, &layers.norm, pooled).expect("the kernels can do it")
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

/// Compares results, all gradients, running statistics and evaluation with burn's operations.
#[track_caller]
fn check(maps: [usize; 4], outputs: usize, [kernel, stride]: [usize; 2], pooled: bool) {
    let device = Device::flex().autodiff();
    let random = &mut ChaCha8Rng::seed_from_u64(2);
    let values = uniform(maps, 1.0, random, &device).val();
    let both = [true, false].map(|is_ours| {
        let layers = layers([maps[1], outputs], kernel, stride, &device);
        let maps = values.clone().detach().require_grad();
        let results = if is_ours {
            fused(&maps, &layers, pooled)
        } else {
            of_burns_operations(maps.clone(), &layers.convolution, &layers.norm, pooled)
        };
        let random = &mut ChaCha8Rng::seed_from_u64(3);
        let wanted = uniform(results.dims(), 1.0, random, &device).val().detach();
        let gradients = (results.clone() * wanted).sum().backward();
        (layers, maps, results, gradients)
    });
    let [(ours, maps, results, gradients), (burns, burns_maps, burns_results, burns_gradients)] =
        both;
    agree("results", results, burns_results);
    let gradient = |tensor: &Tensor<4>, of: &_| tensor.grad(of).expect("a gradient");
    agree("maps", gradient(&maps, &gradients), gradient(&burns_maps, &burns_gradients));
    agree(
        "weights",
        gradient(&ours.convolution.weight.val(), &gradients),
        gradient(&burns.convolution.weight.val(), &burns_gradients),
    );
    let gradient =
        |parameter: &Param<Tensor<1>>, of: &_| parameter.val().grad(of).expect("a gradient");
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
    let [ours, burns] = [ours, burns].map(|layers| layers.valid());
    agree("mean", ours.norm.running_mean.value(), burns.norm.running_mean.value());
    agree("variance", ours.norm.running_var.value(), burns.norm.running_var.value());
    let maps = values.inner();
    agree(
        "evaluation",
        fused(&maps, &ours, pooled),
        of_burns_operations(maps, &burns.convolution, &burns.norm, pooled),
    );
}

#[test]
fn a_unit_and_its_gradients_agree_with_burn() {
    check([3, 4, 16, 16], 7, [3, 1], false);
    check([3, 4, 16, 16], 7, [3, 1], true);
}

#[test]
fn they_agree_with_odd_sides() {
    check([2, 3, 7, 11], 5, [3, 1], false);
    check([2, 3, 7, 11], 5, [3, 1], true);
    check([2, 2, 5, 3], 13, [5, 1], true);
}

#[test]
fn they_agree_with_strides() {
    check([2, 1, 20, 20], 6, [5, 2], false);
    check([2, 3, 13, 9], 6, [5, 2], true);
    check([2, 2, 12, 10], 3, [3, 3], false);
}

#[test]
fn they_agree_with_images_in_several_parts() {
    check([37, 2, 8, 8], 4, [3, 1], true);
}

#[test]
fn a_unit_has_weight_gradients_even_if_its_input_needs_none() {
    let device = Device::flex().autodiff();
    let layers = layers([1, 2], 3, 1, &device);
    let maps = Tensor::ones([2, 1, 4, 4], &device);
    let results = fused(&maps, &layers, false);
    let gradients = results.sum().backward();
    assert!(layers.norm.beta.val().grad(&gradients).is_some());
}

#[test]
fn other_convolutions_are_left_to_burn() {
    let device = Device::flex();
    let mut layers = layers([1, 2], 3, 1, &device);
    let maps = Tensor::ones([1, 1, 4, 4], &device);
    layers.convolution.dilation = [2, 2];
    assert!(fusible(&maps, &layers.convolution, &layers.norm, false).is_none());
}

#[test]
fn a_frozen_batch_norm_with_gradients_is_left_to_burn() {
    let device = Device::flex().autodiff();
    let mut layers = layers([1, 2], 3, 1, &device);
    layers.norm.training = Param::from_bool(false);
    let maps = Tensor::ones([2, 1, 4, 4], &device);
    assert!(unit(&maps, &layers.convolution, &layers.norm, false).is_none());
}
