//! The networks a tower can be made of.
//!
//! Knows tensors alone: no pictures, no losses and no files.

mod compact;
mod dropout;
mod layers;
mod seed;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use compact::{Compact, CompactConfig, Unit};
pub use dropout::Dropout;
pub(crate) use layers::uniform;
pub use seed::Seed;

/// Which network, with its sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum NetworkConfig {
    /// Three reflection-padded convolutions and 80,000 → 500 → 500 → 5.
    Seed,
    /// A strided stem and double convolutions, below one million parameters.
    Compact(CompactConfig),
}

/// A network that turns pictures into embeddings.
///
/// # Shapes
///
/// - in: `[n, channels, height, width]`, values in [0, 1]
/// - out: `[n, width]`
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a program holds one or two of them")]
pub enum Network {
    /// See [`Seed`].
    Seed(Seed),
    /// See [`Compact`].
    Compact(Compact),
}

impl NetworkConfig {
    /// Draws a network's first weights from `random`, for pictures of `shape`
    /// (channels, height, width).
    pub fn init(&self, shape: [usize; 3], random: &mut ChaCha8Rng, device: &Device) -> Network {
        match self {
            Self::Seed => Network::Seed(Seed::new(shape, random, device)),
            Self::Compact(config) => Network::Compact(config.init(shape, random, device)),
        }
    }

    /// How many coordinates an embedding has.
    pub fn width(&self) -> usize {
        match self {
            Self::Seed => Seed::WIDTH,
            Self::Compact(config) => config.width,
        }
    }

    /// Whether embeddings are scaled to unit length before any distance.
    pub fn unit(&self) -> bool {
        match self {
            Self::Seed => false,
            Self::Compact(config) => config.unit,
        }
    }
}

impl Network {
    /// Embeds pictures. `dropout` drops channels in training and nothing in evaluation.
    pub fn forward(&self, pictures: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        match self {
            Self::Seed(network) => network.forward(pictures, dropout),
            Self::Compact(network) => network.forward(pictures, dropout),
        }
    }

    /// How many numbers training adjusts.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Seed(network) => network.num_params(),
            Self::Compact(network) => network.num_params(),
        }
    }
}

/// Scales every row to an L2 norm of 1.
///
/// # Shapes
///
/// - `rows`: `[n, width]`, and the same out
pub fn unit_rows(rows: Tensor<2>) -> Tensor<2> {
    // The epsilon keeps the gradient finite for a row of zeros.
    let norm = rows.clone().square().sum_dim(1).add_scalar(1e-12).sqrt();
    rows / norm
}
