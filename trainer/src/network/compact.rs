//! The default network: small, quick, and standardising each picture by itself.

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
    /// Channels of the strided 5x5 stem.
    pub stem: usize,
    /// Channels of the blocks; each halves height and width.
    pub blocks: Vec<usize>,
    /// How many coordinates an embedding has.
    pub width: usize,
    /// The chance that a channel is dropped before the last layer, in training.
    pub dropout: f64,
    /// Whether embeddings are scaled to unit length before any distance.
    pub unit: bool,
    /// Whether the exported tower averages a picture and its mirror image (twice the work).
    pub mirror: bool,
    /// The exported tower averages a picture and it turned by each of so many degrees either way
    /// (one turn is three times the work, two are five times).
    pub turns: Vec<f32>,
}

/// Standardises each channel of a picture by itself, then a strided 5x5 convolution, blocks of two
/// 3x3 convolutions with a pooling behind them, and one linear layer.
#[derive(Module, Debug)]
pub struct Compact {
    /// 5x5 with stride 2.
    pub stem: Unit,
    /// Two units each, then max pooling 2x2.
    pub blocks: Vec<[Unit; 2]>,
    /// From the last maps to the embedding.
    pub head: Linear,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    views: Vec<View>,
}

/// Convolution, batch norm, `ReLU`.
#[derive(Module, Debug)]
pub struct Unit {
    /// Without a bias: the norm has one.
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
            side = side.map(|it| it / 2);
        }
        let head = linear([inputs * side[0] * side[1], self.width], random, device);
        let views = View::others([height, width], &self.turns, self.mirror);
        Compact { stem, blocks, head, dropout: self.dropout, views }
    }
}

impl Compact {
    /// What standardising adds to a variance: a flat picture stays finite.
    pub const EPSILON: f64 = 1e-4;

    /// What evaluation averages a picture with.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    pub(super) fn forward(&self, pictures: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        if self.views.is_empty() || dropout.is_on() {
            return self.embed(pictures, dropout);
        }
        let others: Vec<_> = self.views.iter().map(|it| it.of(&pictures)).collect();
        let all = std::iter::once(pictures).chain(others);
        let embeddings: Vec<_> = all.map(|it| self.embed(it, dropout)).collect();
        Tensor::stack::<3>(embeddings, 0).mean_dim(0).squeeze_dim(0)
    }

    fn embed(&self, pictures: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        let mut maps = self.stem.forward(standardise(pictures), false);
        for [first, second] in &self.blocks {
            maps = second.forward(first.forward(maps, false), true);
        }
        self.head.forward(dropout.channels(maps, self.dropout).flatten(1, 3))
    }
}

impl Unit {
    fn new(
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

    /// With `pooled` 2x2 max pooling follows.
    fn forward(&self, maps: Tensor<4>, pooled: bool) -> Tensor<4> {
        unit::unit(maps, &self.convolution, &self.norm, pooled)
    }
}

/// Gives each channel of each picture mean 0 and variance 1.
pub(super) fn standardise(pictures: Tensor<4>) -> Tensor<4> {
    let mean = pictures.clone().mean_dim(3).mean_dim(2);
    let centred = pictures - mean;
    let variance = centred.clone().square().mean_dim(3).mean_dim(2);
    centred / variance.add_scalar(Compact::EPSILON).sqrt()
}
