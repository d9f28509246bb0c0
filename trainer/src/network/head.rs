//! A head on the features of a backbone.

use std::f32::consts::TAU;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Dropout;
use super::layers::linear;

/// The sizes of a [`Head`], and how features vary in training.
///
/// A network on few images would learn them by heart. These variations prevent it, as augmentation does for images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// The number of features of the backbone.
    pub features: usize,
    /// The number of whitened components of the features.
    pub components: usize,
    /// The number of coordinates of an embedding.
    pub width: usize,
    /// The features of an image are mixed with those of another image of its identity: the range of the image's own
    /// weight. A weight above 1 moves it away from the other.
    pub mixing: [f32; 2],
    /// The standard deviation of noise in each component, where the variance within identities is 1.
    pub noise: f32,
    /// The share of components that are dropped.
    pub dropout: f64,
}

/// Two linear layers. The first one whitens features and is fixed; the second one is trained. Embeddings are scaled to unit
/// length.
///
/// # Shapes
///
/// - in: `[n, features, 1, 1]`
/// - out: `[n, width]`
#[derive(Module, Debug)]
pub struct Head {
    /// `[features, components]`.
    pub whitening: Linear,
    /// `[components, width]`, without a bias.
    pub layer: Linear,
    #[module(skip)]
    config: HeadConfig,
}

impl HeadConfig {
    /// Draws the first weights from `random`.
    pub(super) fn init(self, random: &mut ChaCha8Rng, device: &Device) -> Head {
        let whitening = linear([self.features, self.components], random, device).no_grad();
        let mut layer = linear([self.components, self.width], random, device);
        layer.bias = None;
        Head { whitening, layer, config: self }
    }
}

impl Head {
    /// Returns the shape of its input: channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        [self.config.features, 1, 1]
    }

    pub(super) fn forward(&self, features: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        let components = self.whitening.forward(features.flatten(1, 3));
        self.layer.forward(self.varied(components, dropout))
    }

    /// Adds noise to components, and drops some. It does nothing in evaluation.
    fn varied(&self, components: Tensor<2>, dropout: &mut Dropout) -> Tensor<2> {
        let [n_rows, n_components] = components.dims();
        let Some(random) = dropout.random() else { return components };
        let noise: Vec<f32> =
            (0..n_rows * n_components).map(|_| self.config.noise * normal(random)).collect();
        let noise = TensorData::new(noise, [n_rows, n_components]);
        let varied = components.clone() + Tensor::from_data(noise, &components.device());
        let each: Tensor<4> = varied.reshape([n_rows, n_components, 1, 1]);
        dropout.channels(each, self.config.dropout).flatten(1, 3)
    }
}

/// Draws from the normal distribution with mean 0 and variance 1 (G. Box, M. Muller, 1958).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let radius: f32 = random.random_range(f32::MIN_POSITIVE..1.0);
    let angle: f32 = random.random_range(0.0..TAU);
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}
