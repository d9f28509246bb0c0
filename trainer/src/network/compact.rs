//! The default network: small and fast.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::layers::{Convolution, batch_norm, linear};
use super::views::View;
use super::{Dropout, unit};

/// The sizes of a [`Compact`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactConfig {
    /// The channels of the strided 5x5 stem.
    pub stem: usize,
    /// The channels of the blocks; each block halves height and width.
    pub blocks: Vec<usize>,
    /// The number of coordinates of an embedding.
    pub width: usize,
    /// The probability that a channel is dropped before the last layer, in training.
    pub dropout: f64,
    /// Whether embeddings are scaled to unit length.
    pub unit: bool,
    /// Whether the exported model averages an image and its mirror image (twice the cost).
    pub mirror: bool,
    /// The angles in degrees: the exported model averages an image and the image rotated by each angle in both directions
    /// (one angle costs three times, two cost five times).
    pub turns: Vec<f32>,
}

/// The compact network: it standardises each channel of an image, and applies a strided 5x5 convolution, blocks of two 3x3
/// convolutions with pooling, and one linear layer.
#[derive(Module, Debug)]
pub struct Compact {
    /// 5x5 with stride 2.
    pub stem: Unit,
    /// Two units each, then max pooling 2x2.
    pub blocks: Vec<[Unit; 2]>,
    /// The linear layer from the last feature maps to the embedding.
    pub head: Linear,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    views: Vec<View>,
}

/// Convolution, batch norm, `ReLU`.
#[derive(Module, Debug)]
pub struct Unit {
    /// Without a bias, because the batch norm has one.
    pub convolution: Conv2d,
    /// Before the `ReLU`.
    pub norm: BatchNorm,
}

impl Default for CompactConfig {
    fn default() -> Self {
        Self {
            stem: 32,
            blocks: vec![32, 64, 128],
            width: 64,
            dropout: 0.1,
            unit: true,
            mirror: true,
            turns: Vec::new(),
        }
    }
}

impl CompactConfig {
    pub(super) fn init(
        &self,
        [channels, height, width]: [usize; 3],
        random: &mut ChaCha8Rng,
        device: &Device,
    ) -> Compact {
        let stem = Unit::new([channels, self.stem], 5, 2, random, device);
        let mut inputs = self.stem;
        let mut blocks = Vec::new();
        // The stem rounds up, the poolings round down.
        let mut side = [height.div_ceil(2), width.div_ceil(2)];
        for &outputs in &self.blocks {
            blocks.push([
                Unit::new([inputs, outputs], 3, 1, random, device),
                Unit::new([outputs, outputs], 3, 1, random, device),
            ]);
            inputs = outputs;
            side = side.map(|side| side / 2);
        }
        let head = linear([inputs * side[0] * side[1], self.width], random, device);
        let views = View::others([height, width], &self.turns, self.mirror);
        Compact { stem, blocks, head, dropout: self.dropout, views }
    }
}

impl Compact {
    /// The term added to the variance of an image, which keeps a flat image finite.
    pub const EPSILON: f64 = 1e-4;

    /// Returns the views that evaluation averages with the image.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    pub(super) fn forward(&self, images: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        if self.views.is_empty() || dropout.is_on() {
            return self.embed(images, dropout);
        }
        let others: Vec<_> = self.views.iter().map(|view| view.of(&images)).collect();
        let all = std::iter::once(images).chain(others);
        let embeddings: Vec<_> = all.map(|images| self.embed(images, dropout)).collect();
        Tensor::stack::<3>(embeddings, 0).mean_dim(0).squeeze_dim(0)
    }

    fn embed(&self, images: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        let mut maps = self.stem.forward(standardise(images), false);
        for [first, second] in &self.blocks {
            maps = second.forward(first.forward(maps, false), true);
        }
        self.head.forward(dropout.channels(maps, self.dropout).flatten(1, 3))
    }
}

impl Unit {
    pub(super) fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        random: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let convolution =
            Convolution { channels, kernel, stride, padding: kernel / 2, bias: false };
        Self {
            convolution: convolution.init(random, device),
            norm: batch_norm(channels[1], device),
        }
    }

    /// Applies the unit; with `pooled`, 2x2 max pooling follows.
    pub(super) fn forward(&self, maps: Tensor<4>, pooled: bool) -> Tensor<4> {
        unit::unit(maps, &self.convolution, &self.norm, pooled)
    }
}

/// Standardises each channel of each image to mean 0 and variance 1.
pub(super) fn standardise(images: Tensor<4>) -> Tensor<4> {
    let mean = images.clone().mean_dim(3).mean_dim(2);
    let centred = images - mean;
    let variance = centred.clone().square().mean_dim(3).mean_dim(2);
    centred / variance.add_scalar(Compact::EPSILON).sqrt()
}
