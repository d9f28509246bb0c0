//! The networks.
//!
//! This module knows tensors. It knows no images, losses or files.

mod baseline;
mod cells;
mod compact;
mod dropout;
#[cfg(feature = "kernels")]
mod fused;
mod head;
mod layers;
mod unit;
mod views;
mod wave;
mod wavelet;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use baseline::Baseline;
pub use cells::{Cells, CellsConfig, Standard};
pub use compact::{Compact, CompactConfig, Unit};
pub use dropout::Dropout;
pub use head::{Head, HeadConfig};
pub(crate) use layers::uniform;
pub use views::View;
pub use wavelet::{Scale, Wavelet, WaveletConfig, Weights};

/// The configuration of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum NetworkConfig {
    /// Three reflection-padded convolutions and 80,000 → 500 → 500 → 5.
    Baseline,
    /// A strided stem and double convolutions, below one million parameters.
    Compact(CompactConfig),
    /// Gabor wavelets and one linear layer, for few identities.
    Wavelet(WaveletConfig),
    /// Two linear layers on the features of a backbone.
    Head(HeadConfig),
    /// Convolutions on the maps of a backbone, which embed each cell of an image.
    Cells(CellsConfig),
}

/// A network that turns images into embeddings.
///
/// # Shapes
///
/// - in: `[n, channels, height, width]`, values in [0, 1]
/// - out: `[n, width]`; of [`Cells`], one row for each cell
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a program holds one or two of them")]
pub enum Network {
    /// See [`Baseline`].
    Baseline(Baseline),
    /// See [`Compact`].
    Compact(Compact),
    /// See [`Wavelet`].
    Wavelet(Wavelet),
    /// See [`Head`]. Its images are the features of a backbone.
    Head(Head),
    /// See [`Cells`]. Its images are the maps of a backbone.
    Cells(Cells),
}

impl NetworkConfig {
    /// Draws a network's first weights from `random`, for images of `shape`
    /// (channels, height, width).
    pub fn init(&self, shape: [usize; 3], random: &mut ChaCha8Rng, device: &Device) -> Network {
        match self {
            Self::Baseline => Network::Baseline(Baseline::new(shape, random, device)),
            Self::Compact(config) => Network::Compact(config.init(shape, random, device)),
            Self::Wavelet(config) => Network::Wavelet(config.init(shape, random, device)),
            Self::Head(config) => Network::Head(config.init(random, device)),
            Self::Cells(config) => Network::Cells(config.init(random, device)),
        }
    }

    /// Returns the number of coordinates of an embedding.
    pub fn width(&self) -> usize {
        match self {
            Self::Baseline => Baseline::WIDTH,
            Self::Compact(config) => config.width,
            Self::Wavelet(config) => config.width,
            Self::Head(config) => config.width,
            Self::Cells(config) => config.width,
        }
    }

    /// Returns whether embeddings are scaled to unit length.
    pub fn unit(&self) -> bool {
        match self {
            Self::Baseline | Self::Cells(_) => false,
            Self::Compact(config) => config.unit,
            Self::Wavelet(config) => config.unit,
            Self::Head(_) => true,
        }
    }
}

impl Network {
    /// Embeds images. `dropout` drops channels in training and nothing in evaluation.
    pub fn forward(&self, images: Tensor<4>, dropout: &mut Dropout) -> Tensor<2> {
        match self {
            Self::Baseline(network) => network.forward(images, dropout),
            Self::Compact(network) => network.forward(images, dropout),
            Self::Wavelet(network) => network.forward(images),
            Self::Head(network) => network.forward(images, dropout),
            Self::Cells(network) => network.forward(images),
        }
    }

    /// Returns the number of trained parameters, without the running statistics of batch norm.
    pub fn parameters(&self) -> usize {
        let mut count = ParameterCount::default();
        self.visit(&mut count);
        count.parameters
    }
}

/// Counts parameters, without running statistics.
#[derive(Default)]
struct ParameterCount {
    path: Vec<String>,
    parameters: usize,
}

impl ModuleVisitor for ParameterCount {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if !self.path.last().is_some_and(|name| name.starts_with("running_")) {
            self.parameters += parameter.lazy_shape().num_elements();
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

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use rand::SeedableRng;

    use super::*;

    fn network(config: &NetworkConfig, shape: [usize; 3]) -> Network {
        config.init(shape, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex())
    }

    #[test]
    fn the_baseline_has_forty_million_parameters_and_five_coordinates() {
        let network = network(&NetworkConfig::Baseline, [1, 100, 100]);
        let convolutions = (9 + 1) * 4 + (4 * 9 + 1) * 8 + (8 * 9 + 1) * 8;
        let norms = 2 * (4 + 8 + 8);
        let linears = 80_001 * 500 + 501 * 500 + 501 * 5;
        assert_eq!(network.parameters(), convolutions + norms + linears);
        assert_eq!(network.parameters(), 40_254_465);

        let images = Tensor::zeros([2, 1, 100, 100], &Device::flex());
        assert_eq!(network.forward(images, &mut Dropout::off()).dims(), [2, 5]);
    }

    #[test]
    fn the_compact_network_has_fewer_than_a_million_parameters() {
        let config = NetworkConfig::Compact(CompactConfig::default());
        let network = network(&config, [1, 64, 64]);
        assert!(network.parameters() < 1_000_000, "{}", network.parameters());
        let images = Tensor::zeros([2, 1, 64, 64], &Device::flex());
        assert_eq!(network.forward(images, &mut Dropout::off()).dims(), [2, 64]);
    }

    #[test]
    fn an_image_and_its_mirror_image_have_the_same_embedding() {
        let config = NetworkConfig::Compact(CompactConfig::default());
        let network = network(&config, [1, 32, 32]);
        let values: Vec<f32> =
            (0_u16..32 * 32).map(|pixel| f32::from(pixel * 37 % 256) / 255.0).collect();
        let image = TensorData::new(values, [1, 1, 32, 32]);
        let image = Tensor::<4>::from_data(image, &Device::flex());
        let mirrored = image.clone().flip([3]);
        let [left, right] =
            [image, mirrored].map(|images| network.forward(images, &mut Dropout::off()));
        let difference: f32 = (left - right).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn unit_rows_have_length_1() {
        let rows = Tensor::<2>::from_data([[3.0, 4.0], [0.0, 0.5]], &Device::flex());
        let unit = unit_rows(rows).into_data().try_to_vec::<f32>().expect("single precision");
        for (value, expected) in unit.iter().zip([0.6, 0.8, 0.0, 1.0]) {
            assert!((value - expected).abs() < 1e-5, "{unit:?}");
        }
    }
}
