//! Layers with initial weights from our own random generator.
//!
//! The backend has one generator for the whole process, so two runs in one process would influence each other. With our own
//! generator, a seed always gives the same weights.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A square convolution: `channels` in and out, kernel side, stride, zero padding.
#[derive(Clone, Copy)]
pub(super) struct Convolution {
    pub(super) channels: [usize; 2],
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) bias: bool,
}

impl Convolution {
    /// Makes the layer; weights and bias are uniform within ±1/√fan-in, as in `PyTorch`.
    pub(super) fn init(self, random: &mut ChaCha8Rng, device: &Device) -> Conv2d {
        let [channels_in, channels_out] = self.channels;
        let mut layer = Conv2dConfig::new(self.channels, [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(
                self.padding,
                self.padding,
                self.padding,
                self.padding,
            ))
            .with_bias(self.bias)
            .with_initializer(Initializer::Zeros)
            .init(device);
        let bound = bound(channels_in * self.kernel * self.kernel);
        let shape = [channels_out, channels_in, self.kernel, self.kernel];
        layer.weight = uniform(shape, bound, random, device);
        layer.bias = self.bias.then(|| uniform([channels_out], bound, random, device));
        layer
    }
}

/// Makes a linear layer; weights and bias are uniform within ±1/√inputs, as in `PyTorch`.
pub(super) fn linear(
    [inputs, outputs]: [usize; 2],
    random: &mut ChaCha8Rng,
    device: &Device,
) -> Linear {
    let mut layer =
        LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device);
    let bound = bound(inputs);
    layer.weight = uniform([inputs, outputs], bound, random, device);
    layer.bias = Some(uniform([outputs], bound, random, device));
    layer
}

/// Makes a batch norm that is initially the identity.
pub(super) fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

/// Draws a parameter uniformly within ±`bound`.
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    bound: f32,
    random: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-bound..=bound)).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

#[expect(clippy::cast_precision_loss, reason = "a layer's inputs are far fewer than 2^24")]
fn bound(inputs: usize) -> f32 {
    1.0 / (inputs as f32).sqrt()
}
