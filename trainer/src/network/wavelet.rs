//! Wavelets of fixed shape, and one linear layer over what they find: for few identities.
//!
//! Small data can't teach a network what edges and strokes are; Gabor wavelets, by which much of
//! the early work on faces was done (Lades et al. 1993; Wiskott et al. 1997), need not be taught.

use std::f32::consts::PI;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::compact::standardise;
use super::layers::linear;

/// The sizes of a [`Wavelet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaveletConfig {
    /// The shortest wave, in pixels.
    pub wavelength: f32,
    /// How much longer the waves of each scale are than those of the scale before.
    pub ratio: f32,
    /// How many scales.
    pub scales: usize,
    /// How many directions of each.
    pub orientations: usize,
    /// Rows and columns of the cells in which what is found is added up.
    pub cells: [usize; 2],
    /// How many coordinates an embedding has.
    pub width: usize,
    /// Whether embeddings are scaled to unit length before any distance.
    pub unit: bool,
    /// Whether a picture and its mirror image are averaged (twice the work).
    pub mirror: bool,
}

/// Standardises a picture, finds how strong waves of each length and direction are in each cell of
/// it, and takes the fourth root; then one linear layer.
#[derive(Module, Debug)]
pub struct Wavelet {
    /// From what was found to the embedding.
    pub head: Linear,
    #[module(skip)]
    scales: Vec<Scale>,
    #[module(skip)]
    mirror: bool,
}

/// Waves of one length in all directions, and the cells in which they are added up.
#[derive(Clone, Debug)]
pub struct Scale {
    /// `[orientations, 1, side, side]`: the waves that are even about their middle.
    pub even: Vec<f32>,
    /// As many, a quarter of a wave further.
    pub odd: Vec<f32>,
    /// How many directions.
    pub orientations: usize,
    /// Pixels on a side of a wavelet; odd.
    pub side: usize,
    /// Every so many pixels one is read.
    pub stride: usize,
    /// `[cells, rows read]`: how much of each row each cell takes.
    pub rows: Weights,
    /// `[columns read, cells]`.
    pub columns: Weights,
}

/// A matrix of fixed weights.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Row by row.
    pub values: Vec<f32>,
    /// Rows and columns.
    pub shape: [usize; 2],
}

impl Default for WaveletConfig {
    fn default() -> Self {
        Self {
            wavelength: 5.0,
            ratio: 1.6,
            scales: 4,
            orientations: 8,
            cells: [6, 5],
            width: 400,
            unit: true,
            mirror: true,
        }
    }
}

impl WaveletConfig {
    /// How many numbers are found in a picture.
    pub fn features(&self) -> usize {
        self.scales * self.orientations * self.cells[0] * self.cells[1]
    }

    pub(super) fn init(
        &self,
        [_, height, width]: [usize; 3],
        random: &mut ChaCha8Rng,
        device: &Device,
    ) -> Wavelet {
        let lengths = (0..self.scales).scan(self.wavelength, |next, _| {
            let length = *next;
            *next *= self.ratio;
            Some(length)
        });
        let scale = |length| Scale::new(length, self.orientations, [height, width], self.cells);
        Wavelet {
            head: linear([self.features(), self.width], random, device),
            scales: lengths.map(scale).collect(),
            mirror: self.mirror,
        }
    }
}

impl Wavelet {
    /// Keeps the root's gradient finite where nothing is found.
    pub const EPSILON: f64 = 1e-4;

    /// Whether evaluation averages a picture and its mirror image.
    pub fn mirrors(&self) -> bool {
        self.mirror
    }

    /// Its waves.
    pub fn scales(&self) -> &[Scale] {
        &self.scales
    }

    pub(super) fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        let mut features = self.features(pictures.clone());
        if self.mirror {
            features = (features + self.features(pictures.flip([3]))).mul_scalar(0.5);
        }
        self.head.forward(features)
    }

    /// What is found in pictures, before the linear layer; mirror images are not looked at.
    ///
    /// # Shapes
    ///
    /// - `pictures`: `[n, 1, height, width]`
    /// - out: `[n, features]`
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<2> {
        let pictures = standardise(pictures);
        Tensor::cat(self.scales.iter().map(|it| it.found(&pictures)).collect(), 1)
    }
}

impl Scale {
    /// The largest radius of a wavelet, in pixels.
    const RADIUS: usize = 15;
    /// A wave is read at most every so many pixels.
    const STRIDE: f32 = 4.0;

    fn new(
        length: f32,
        orientations: usize,
        [height, width]: [usize; 2],
        [rows, columns]: [usize; 2],
    ) -> Self {
        // The envelope's deviation is half a wave.
        let deviation = 0.5 * length;
        let radius = whole((2.5 * deviation).ceil()).clamp(1, Self::RADIUS);
        let stride = whole((length / 4.0).round().clamp(1.0, Self::STRIDE));
        let (mut even, mut odd) = (Vec::new(), Vec::new());
        for orientation in 0..orientations {
            let [of_even, of_odd] =
                gabor(length, deviation, PI * single(orientation) / single(orientations), radius);
            even.extend(of_even);
            odd.extend(of_odd);
        }
        let read = |side: usize| (side - 1) / stride + 1;
        Self {
            even,
            odd,
            orientations,
            side: 2 * radius + 1,
            stride,
            rows: cells(rows, read(height)),
            columns: cells(columns, read(width)).transposed(),
        }
    }

    fn found(&self, pictures: &Tensor<4>) -> Tensor<2> {
        let device = pictures.device();
        let radius = self.side / 2;
        let padded = pictures.clone().pad([(radius, radius), (radius, radius)], PadMode::Edge);
        let shape = [self.orientations, 1, self.side, self.side];
        let squares = |kernels: &[f32]| {
            let kernels = Tensor::from_data(TensorData::new(kernels.to_vec(), shape), &device);
            let options = ConvOptions::new([self.stride; 2], [0, 0], [1, 1], 1);
            conv2d(padded.clone(), kernels, None, options).square()
        };
        let strength =
            (squares(&self.even) + squares(&self.odd)).add_scalar(Wavelet::EPSILON).sqrt();
        let matrix = |it: &Weights| {
            let shape = [1, 1, it.shape[0], it.shape[1]];
            Tensor::<4>::from_data(TensorData::new(it.values.clone(), shape), &device)
        };
        let [n, orientations, _, _] = strength.dims();
        let (rows, columns) = (matrix(&self.rows), matrix(&self.columns));
        let [_, _, n_rows, height] = rows.dims();
        let [_, _, width, n_columns] = columns.dims();
        let rows = rows.expand([n, orientations, n_rows, height]);
        let columns = columns.expand([n, orientations, width, n_columns]);
        rows.matmul(strength).matmul(columns).sqrt().sqrt().flatten(1, 3)
    }
}

impl Weights {
    fn transposed(self) -> Self {
        let [rows, columns] = self.shape;
        let at = |row: usize, column: usize| self.values[row * columns + column];
        let values = (0..columns).flat_map(|column| (0..rows).map(move |row| at(row, column)));
        Self { values: values.collect(), shape: [columns, rows] }
    }
}

/// A wave under a Gaussian, even and odd, which together have a square sum of 1; the even one is
/// balanced, so that evenly grey pictures have none of it.
fn gabor(length: f32, deviation: f32, angle: f32, radius: usize) -> [Vec<f32>; 2] {
    let side = 2 * radius + 1;
    let (mut envelope, mut even, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..side * side {
        let y = single(at / side) - single(radius);
        let x = single(at % side) - single(radius);
        let phase = 2.0 * PI * (x * angle.cos() + y * angle.sin()) / length;
        let weight = (-(x * x + y * y) / (2.0 * deviation * deviation)).exp();
        envelope.push(weight);
        even.push(weight * phase.cos());
        odd.push(weight * phase.sin());
    }
    let mean = even.iter().sum::<f32>() / envelope.iter().sum::<f32>();
    for (value, weight) in even.iter_mut().zip(&envelope) {
        *value -= mean * weight;
    }
    let norm = even.iter().chain(&odd).map(|it| it * it).sum::<f32>().sqrt();
    [even, odd].map(|it| it.into_iter().map(|value| value / norm).collect())
}

/// How much of each of `length` places each of `n_cells` takes: Gaussians around the middles of
/// equal parts, half a part wide, so that what moves a little changes little.
fn cells(n_cells: usize, length: usize) -> Weights {
    let part = single(length) / single(n_cells);
    let mut values = Vec::with_capacity(n_cells * length);
    for cell in 0..n_cells {
        let middle = (single(cell) + 0.5) * part - 0.5;
        let weight = |at: usize| (-((single(at) - middle) / (0.5 * part)).powi(2) / 2.0).exp();
        let sum: f32 = (0..length).map(weight).sum();
        values.extend((0..length).map(|at| weight(at) / sum));
    }
    Weights { values, shape: [n_cells, length] }
}

#[expect(clippy::cast_precision_loss, reason = "a picture's side is below 2^24")]
fn single(count: usize) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few pixels, and not negative"
)]
fn whole(pixels: f32) -> usize {
    pixels as usize
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn network(config: &WaveletConfig, shape: [usize; 3]) -> Wavelet {
        config.init(shape, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex())
    }

    fn features(network: &Wavelet, values: Vec<f32>, side: usize) -> Vec<f32> {
        let picture = TensorData::new(values, [1, 1, side, side]);
        let found = network.features(Tensor::from_data(picture, &Device::flex()));
        found.into_data().try_to_vec().expect("single precision")
    }

    #[test]
    fn an_evenly_grey_picture_has_no_waves() {
        let network = network(&WaveletConfig::default(), [1, 40, 40]);
        let nothing = 1e-4_f32.sqrt().sqrt().sqrt();
        for found in features(&network, vec![0.5; 1600], 40) {
            assert!((found - nothing).abs() < 1e-3, "{found}");
        }
    }

    #[test]
    fn stripes_are_found_by_the_wave_of_their_length_and_direction() {
        let config = WaveletConfig { cells: [1, 1], ..WaveletConfig::default() };
        let network = network(&config, [1, 48, 48]);
        // Upright stripes as long as the second scale's waves: it is the first of its directions.
        let length = config.wavelength * config.ratio;
        let stripes =
            (0..48 * 48).map(|at| 0.5 + 0.5 * (2.0 * PI * single(at % 48) / length).cos());
        let found = features(&network, stripes.collect(), 48);
        let strongest = (0..found.len()).max_by(|a, b| found[*a].total_cmp(&found[*b]));
        assert_eq!(strongest, Some(config.orientations));
    }

    #[test]
    fn a_picture_has_as_many_features_as_its_configuration_says() {
        let config = WaveletConfig { cells: [3, 2], ..WaveletConfig::default() };
        let network = network(&config, [1, 32, 28]);
        let pictures = Tensor::zeros([2, 1, 32, 28], &Device::flex());
        assert_eq!(network.features(pictures.clone()).dims(), [2, config.features()]);
        assert_eq!(network.forward(pictures).dims(), [2, config.width]);
    }
}
