//! Fixed Gabor wavelets and one linear layer, for few identities.
//!
//! A network cannot learn edges and strokes from little data. Gabor wavelets, used in much of the early work on faces
//! (Lades et al. 1993; Wiskott et al. 1997), need no training.

use std::f32::consts::PI;
use std::ops::RangeInclusive;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::compact::standardise;
use super::layers::linear;
use super::wave::Wave;
use crate::data::vary::grid::single;

/// The sizes of a [`Wavelet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaveletConfig {
    /// The shortest wavelength, in pixels.
    pub wavelength: f32,
    /// The ratio of the wavelengths of neighbouring scales.
    pub ratio: f32,
    /// The number of scales.
    pub scales: usize,
    /// The number of orientations per scale.
    pub orientations: usize,
    /// The rows and columns of cells in which strengths are summed.
    pub cells: [usize; 2],
    /// The number of coordinates of an embedding.
    pub width: usize,
    /// Whether embeddings are scaled to unit length.
    pub unit: bool,
    /// Whether an image and its mirror image have the same embedding.
    pub mirror: bool,
}

/// The wavelet network: it standardises an image, measures the strength of each wavelet in each cell, takes the fourth root,
/// and applies one linear layer.
#[derive(Module, Debug)]
pub struct Wavelet {
    /// The linear layer from features to the embedding.
    pub head: Linear,
    #[module(skip)]
    scales: Vec<Scale>,
    #[module(skip)]
    mirrored: Option<Vec<usize>>,
}

/// The wavelets of one wavelength in all orientations, and the cells in which their strengths are summed.
///
/// A wave with a circular Gaussian envelope is separable, so two matrix products compute it: `down · image · across`.
#[derive(Clone, Debug)]
pub struct Scale {
    /// `[2 * orientations, width, columns read]`: real and imaginary part of each direction.
    pub across: Weights<3>,
    /// `[orientations, 2 * rows read, 2 * height]`, which takes the two parts below each other:
    /// those of the whole wave come out so.
    pub down: Weights<3>,
    /// `[cells, rows read]`: how much of each row each cell takes.
    pub rows: Weights<2>,
    /// `[columns read, cells]`.
    pub columns: Weights<2>,
}

/// Fixed weights, the last axis running fastest.
#[derive(Clone, Debug)]
pub struct Weights<const D: usize> {
    /// Row by row.
    pub values: Vec<f32>,
    /// The extent of each axis.
    pub shape: [usize; D],
}

impl Default for WaveletConfig {
    fn default() -> Self {
        Self {
            wavelength: 5.0,
            ratio: 1.6,
            scales: 4,
            orientations: 6,
            cells: [6, 5],
            width: 256,
            unit: true,
            mirror: true,
        }
    }
}

impl WaveletConfig {
    /// Returns the number of features of an image.
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
            mirrored: self.mirror.then(|| self.mirrored()),
        }
    }

    /// Computes for each feature the index of the corresponding feature of the mirror image.
    fn mirrored(&self) -> Vec<usize> {
        let [rows, columns] = self.cells;
        let at = |scale: usize, orientation: usize, row: usize, column: usize| {
            ((scale * self.orientations + orientation) * rows + row) * columns + column
        };
        let mut places = Vec::with_capacity(self.features());
        for scale in 0..self.scales {
            for orientation in 0..self.orientations {
                // Mirroring maps an angle to 180 degrees minus the angle.
                let mirrored = (self.orientations - orientation) % self.orientations;
                for row in 0..rows {
                    for column in 0..columns {
                        places.push(at(scale, mirrored, row, columns - 1 - column));
                    }
                }
            }
        }
        places
    }
}

impl Wavelet {
    /// Keeps the gradient of the root finite at a strength of 0.
    pub const EPSILON: f64 = 1e-4;

    /// Returns the scales.
    pub fn scales(&self) -> &[Scale] {
        &self.scales
    }

    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.features(images))
    }

    /// Computes the features of images, before the linear layer.
    ///
    /// # Shapes
    ///
    /// - `images`: `[n, 1, height, width]`
    /// - out: `[n, features]`
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let images = standardise(images);
        Tensor::cat(self.scales.iter().map(|scale| scale.found(&images)).collect(), 1)
    }

    /// Returns for each feature the index of the corresponding feature of the mirror image, if the two images have the same
    /// embedding.
    pub fn mirrored(&self) -> Option<&[usize]> {
        self.mirrored.as_deref()
    }
}

impl Scale {
    /// The range of the sampling step in pixels; longer waves have a larger step.
    const STRIDES: RangeInclusive<usize> = 2..=4;

    fn new(
        length: f32,
        orientations: usize,
        [height, width]: [usize; 2],
        [rows, columns]: [usize; 2],
    ) -> Self {
        // The standard deviation of the envelope is half a wavelength.
        let deviation = 0.5 * length;
        let stride = whole((length / 4.0).round());
        let stride = stride.clamp(*Self::STRIDES.start(), *Self::STRIDES.end());
        let [read_rows, read_columns] = [height, width].map(|side| (side - 1) / stride + 1);
        let (mut across, mut down) = (Vec::new(), Vec::new());
        for orientation in 0..orientations {
            let angle = PI * single(orientation) / single(orientations);
            let (sine, cosine) = angle.sin_cos();
            let is_steep = cosine.abs() < sine.abs();
            let wave = |share: f32, is_balanced, side| Wave {
                frequency: 2.0 * PI * share / length,
                deviation,
                is_balanced,
                side,
                stride,
            };
            let [real, imaginary] = wave(cosine, !is_steep, width).matrix();
            across.extend(transposed(&real, width));
            across.extend(transposed(&imaginary, width));
            let [real, imaginary] = wave(sine, is_steep, height).matrix();
            for (row, beside) in real.chunks_exact(height).zip(imaginary.chunks_exact(height)) {
                down.extend(row.iter().copied().chain(beside.iter().map(|value| -value)));
            }
            for (beside, row) in real.chunks_exact(height).zip(imaginary.chunks_exact(height)) {
                down.extend(row.iter().chain(beside));
            }
        }
        Self {
            across: Weights { values: across, shape: [2 * orientations, width, read_columns] },
            down: Weights { values: down, shape: [orientations, 2 * read_rows, 2 * height] },
            rows: Weights { values: cells(rows, read_rows), shape: [rows, read_rows] },
            columns: Weights {
                values: transposed(&cells(columns, read_columns), read_columns),
                shape: [read_columns, columns],
            },
        }
    }

    /// `[orientations, 2, rows read, columns read]`: how waves lie, real and imaginary part.
    pub fn waves(&self) -> [usize; 4] {
        let [orientations, twice_rows, _] = self.down.shape;
        let [_, _, columns] = self.across.shape;
        [orientations, 2, twice_rows / 2, columns]
    }

    fn found(&self, images: &Tensor<4>) -> Tensor<2> {
        let device = images.device();
        let [n, _, height, width] = images.dims();
        let [orientations, parts, n_rows, n_columns] = self.waves();
        let matrices = |values: &[f32], [count, rows, columns]: [usize; 3]| {
            let values = TensorData::new(values.to_vec(), [1, count, rows, columns]);
            Tensor::<4>::from_data(values, &device).expand([n, count, rows, columns])
        };
        let cells = |weights: &Weights<2>| {
            let [rows, columns] = weights.shape;
            matrices(&weights.values, [1, rows, columns]).expand([n, orientations, rows, columns])
        };
        let across = matrices(&self.across.values, self.across.shape);
        let down = matrices(&self.down.values, self.down.shape);
        let images = images.clone().expand([n, parts * orientations, height, width]);
        let waves = images.matmul(across).reshape([n, orientations, parts * height, n_columns]);
        let waves = down.matmul(waves).reshape([n * orientations, parts, n_rows, n_columns]);
        let strength = waves.square().sum_dim(1).add_scalar(Wavelet::EPSILON).sqrt();
        let strength = strength.reshape([n, orientations, n_rows, n_columns]);
        let by_cell = cells(&self.rows).matmul(strength).matmul(cells(&self.columns));
        by_cell.sqrt().sqrt().flatten(1, 3)
    }
}

/// Returns the transpose of a matrix with `columns` columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let column = |at: usize| values.iter().skip(at).step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}

/// Returns the weight of each of `length` positions in each of `n_cells` cells. The weights are Gaussians around the centres
/// of equal parts, so small shifts have a small effect.
fn cells(n_cells: usize, length: usize) -> Vec<f32> {
    let part = single(length) / single(n_cells);
    let mut values = Vec::with_capacity(n_cells * length);
    for cell in 0..n_cells {
        let middle = (single(cell) + 0.5) * part - 0.5;
        let weight = |at: usize| (-((single(at) - middle) / (0.5 * part)).powi(2) / 2.0).exp();
        let sum: f32 = (0..length).map(weight).sum();
        values.extend((0..length).map(|at| weight(at) / sum));
    }
    values
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
        let image = TensorData::new(values, [1, 1, side, side]);
        let found = network.features(Tensor::from_data(image, &Device::flex()));
        found.into_data().try_to_vec().expect("single precision")
    }

    #[test]
    fn a_uniform_image_has_no_waves() {
        let network = network(&WaveletConfig::default(), [1, 40, 40]);
        let nothing = 1e-4_f32.sqrt().sqrt().sqrt();
        for found in features(&network, vec![0.5; 1600], 40) {
            assert!((found - nothing).abs() < 1e-3, "{found}");
        }
    }

    #[test]
    fn stripes_have_the_strongest_response_at_their_wavelength_and_orientation() {
        let config = WaveletConfig { cells: [1, 1], ..WaveletConfig::default() };
        let network = network(&config, [1, 48, 48]);
        // Vertical stripes with the wavelength of the second scale, which match its first orientation.
        let length = config.wavelength * config.ratio;
        let stripes =
            (0..48 * 48).map(|at| 0.5 + 0.5 * (2.0 * PI * single(at % 48) / length).cos());
        let found = features(&network, stripes.collect(), 48);
        let strongest = (0..found.len()).max_by(|a, b| found[*a].total_cmp(&found[*b]));
        assert_eq!(strongest, Some(config.orientations));
    }

    #[test]
    fn a_mirror_image_has_the_same_features_at_other_indices() {
        // These sides are not divisible by the strides.
        let network = network(&WaveletConfig::default(), [1, 37, 35]);
        let values: Vec<f32> =
            (0_u16..37 * 35).map(|pixel| f32::from(pixel * 37 % 256) / 255.0).collect();
        let image = TensorData::new(values, [1, 1, 37, 35]);
        let image = Tensor::<4>::from_data(image, &Device::flex());
        let found = [image.clone(), image.flip([3])].map(|images| {
            let features = network.features(images).into_data();
            features.try_to_vec::<f32>().expect("single precision")
        });
        let places = network.mirrored().expect("a network that mirrors");
        for (at, place) in places.iter().enumerate() {
            assert!((found[0][at] - found[1][*place]).abs() < 1e-4, "{at}");
        }
    }

    #[test]
    fn the_number_of_features_matches_the_configuration() {
        let config = WaveletConfig { cells: [3, 2], ..WaveletConfig::default() };
        let network = network(&config, [1, 32, 28]);
        let images = Tensor::zeros([2, 1, 32, 28], &Device::flex());
        assert_eq!(network.features(images.clone()).dims(), [2, config.features()]);
        assert_eq!(network.forward(images).dims(), [2, config.width]);
    }
}
