//! The baseline: the network that a well-known public notebook trains on the ORL faces.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::Dropout;
use super::layers::{Convolution, batch_norm, linear};

/// Three times [reflection pad 1, convolution 3x3, `ReLU`, batch norm, channel dropout 0.2], then linear 500, `ReLU`,
/// linear 500, `ReLU`, linear 5. For an input of 1x100x100 it has 40.3 million parameters.
#[derive(Module, Debug)]
pub struct Baseline {
    /// The three blocks, 1 → 4 → 8 → 8 channels.
    pub blocks: Vec<Block>,
    /// The three linear layers.
    pub linears: Vec<Linear>,
}

/// A convolution and the following layers.
#[derive(Module, Debug)]
pub struct Block {
    /// 3x3 without padding; the reflection padding comes before it.
    pub convolution: Conv2d,
    /// After the `ReLU`.
    pub norm: BatchNorm,
}

impl Baseline {
    /// The number of coordinates of an embedding.
    pub const WIDTH: usize = 5;
    const DROPOUT: f64 = 0.2;
    const CHANNELS: [usize; 3] = [4, 8, 8];
    const HIDDEN: usize = 500;

    pub(super) fn new(
        [channels, height, width]: [usize; 3],
        random: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let mut inputs = channels;
        let blocks = Self::CHANNELS
            .map(|outputs| {
                let convolution = Convolution {
                    channels: [inputs, outputs],
                    kernel: 3,
                    stride: 1,
                    padding: 0,
                    bias: true,
                };
                inputs = outputs;
                Block {
                    convolution: convolution.init(random, device),
                    norm: batch_norm(outputs, device),
                }
            })
            .into();
        let sizes = [inputs * height * width, Self::HIDDEN, Self::HIDDEN, Self::WIDTH];
        let linears =
            sizes.windows(2).map(|pair| linear([pair[0], pair[1]], random, device)).collect();
        Self { blocks, linears }
    }

    pub(super) fn forward(&self, images: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        let mut maps = images;
        for block in &self.blocks {
            maps = maps.pad([(1, 1), (1, 1)], PadMode::Reflect);
            maps = block.norm.forward(relu(block.convolution.forward(maps)));
            maps = dropout.channels(maps, Self::DROPOUT);
        }
        let mut row = maps.flatten(1, 3);
        for (at, layer) in self.linears.iter().enumerate() {
            row = if at == 0 { layer.forward(row) } else { layer.forward(relu(row)) };
        }
        row
    }
}
