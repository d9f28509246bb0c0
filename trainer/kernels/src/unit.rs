//! A unit for a batch: convolution, batch norm, `ReLU` and optional pooling.
//!
//! Images are processed in parallel. Sums over images are split into parts that depend only on the number of images, and
//! the parts are added in order. The result is therefore the same on any number of threads.

use pulp::Arch;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use crate::convolution::{Convolution, InputGradient, Scratch};
use crate::geometry::Geometry;
use crate::norm::{Affine, Passage};
use crate::statistics::{Norm, Statistics, in_order};
use crate::task::{
    Convolving, Evaluating, Passing, Rectifying, RectifyingImage, Unrectifying, lanes,
};
use crate::weight_gradient::WeightGradient;

/// The largest number of parts of a batch for the sum of the gradients of weights.
const PARTS: usize = 16;

/// Convolution without a bias, batch norm, `ReLU`, and 2x2 max pooling if `pooled`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// The sizes of the convolution.
    pub geometry: Geometry,
    /// Whether 2x2 max pooling follows; the last row or column of an odd side is ignored.
    pub pooled: bool,
    /// The term that the batch norm adds to a variance.
    pub epsilon: f64,
}

/// The weights of a unit.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[out, in, kernel, kernel]`
    pub convolution: &'a [f32],
    /// The factors of the batch norm, `[out]`.
    pub gamma: &'a [f32],
    /// The offsets of the batch norm, `[out]`.
    pub beta: &'a [f32],
}

/// The results of a batch in training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// `[n, out, height, width]`; with pooling, half the height and width.
    pub results: Vec<f32>,
    /// The output of the convolution, `[n, out, height, width]`; the gradients need it.
    pub convolved: Vec<f32>,
    /// The statistics of the output of the convolution.
    pub statistics: Statistics,
}

/// The values of the forward pass that the gradients need.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The input, `[n, in, height, width]`.
    pub images: &'a [f32],
    /// See [`Trained`].
    pub convolved: &'a [f32],
    /// See [`Trained`].
    pub statistics: &'a Statistics,
}

/// The gradients of the input and the weights of a unit.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// `[n, in, height, width]`, if requested.
    pub images: Option<Vec<f32>>,
    /// `[out, in, kernel, kernel]`
    pub convolution: Vec<f32>,
    /// `[out]`
    pub gamma: Vec<f32>,
    /// `[out]`
    pub beta: Vec<f32>,
}

impl Unit {
    /// Returns the height and width of the output.
    pub fn side(&self) -> [usize; 2] {
        let side = self.geometry.output();
        if self.pooled { side.map(|side| side / 2) } else { side }
    }

    /// Returns the number of output values of an image.
    pub(crate) fn results(&self) -> usize {
        self.geometry.channels[1] * self.side().iter().product::<usize>()
    }

    pub(crate) fn plane(&self) -> usize {
        self.geometry.output().iter().product()
    }

    /// Computes the results of a batch with its own statistics, as in training.
    ///
    /// # Shapes
    ///
    /// - `images`: `[n, in, height, width]`
    pub fn train(&self, images: &[f32], weights: Weights<'_>) -> Trained {
        let arch = Arch::new();
        let geometry = self.geometry;
        let convolution = Convolution::new(geometry, weights.convolution, lanes(arch));
        let n_images = images.len() / geometry.inputs();
        let mut convolved = vec![0.0; n_images * geometry.outputs()];
        let moments = convolved
            .par_chunks_exact_mut(geometry.outputs())
            .zip(images.par_chunks_exact(geometry.inputs()))
            .map_init(Scratch::default, |scratch, (results, image)| {
                let plane = self.plane();
                arch.dispatch(Convolving {
                    convolution: &convolution,
                    image,
                    scratch,
                    results,
                    plane,
                })
            })
            .collect::<Vec<_>>();
        let statistics = Statistics::of(&moments, self.plane());
        let norm = Norm::new(weights, &statistics, self.epsilon);
        let results = self.rectify(arch, &convolved, &norm.affine);
        Trained { results, convolved, statistics }
    }

    /// Computes the results of a batch with given statistics, as in evaluation.
    ///
    /// # Shapes
    ///
    /// - `images`: `[n, in, height, width]`
    /// - out: see [`Trained::results`]
    pub fn evaluate(
        &self,
        images: &[f32],
        weights: Weights<'_>,
        statistics: &Statistics,
    ) -> Vec<f32> {
        let arch = Arch::new();
        let geometry = self.geometry;
        let convolution = Convolution::new(geometry, weights.convolution, lanes(arch));
        let norm = Norm::new(weights, statistics, self.epsilon);
        let mut results = vec![0.0; images.len() / geometry.inputs() * self.results()];
        results
            .par_chunks_exact_mut(self.results())
            .zip(images.par_chunks_exact(geometry.inputs()))
            .for_each_init(
                || (Scratch::default(), vec![0.0; geometry.outputs()]),
                |(scratch, convolved), (results, image)| {
                    arch.dispatch(Evaluating {
                        convolution: &convolution,
                        image,
                        scratch,
                        convolved,
                        rectifying: Rectifying { unit: self, affine: &norm.affine, results },
                    });
                },
            );
        results
    }

    /// Computes the gradients in training from the gradient of the results.
    ///
    /// # Shapes
    ///
    /// - `gradient`: see [`Trained::results`]
    pub fn gradients(
        &self,
        seen: Seen<'_>,
        weights: Weights<'_>,
        gradient: &[f32],
        wants_images: bool,
    ) -> Gradients {
        let arch = Arch::new();
        let geometry = self.geometry;
        let norm = Norm::new(weights, seen.statistics, self.epsilon);
        let mut gradients = vec![0.0; seen.convolved.len()];
        let sums = gradients
            .par_chunks_exact_mut(geometry.outputs())
            .zip(seen.convolved.par_chunks_exact(geometry.outputs()))
            .zip(gradient.par_chunks_exact(self.results()))
            .map(|((results, convolved), gradient)| {
                let mean = &seen.statistics.mean;
                arch.dispatch(Unrectifying {
                    unit: self,
                    affine: &norm.affine,
                    mean,
                    convolved,
                    gradient,
                    results,
                })
            })
            .collect::<Vec<_>>();
        let sums = in_order(&sums, geometry.channels[1]);
        let count = seen.convolved.len() / geometry.channels[1];
        let passages = norm.passages(&sums, seen.statistics, count);
        let [gamma, beta] = norm.gradients(&sums);
        let (convolution, images) =
            self.convolution_gradients(arch, seen, weights, &passages, gradients, wants_images);
        Gradients { images, convolution, gamma, beta }
    }

    /// Computes the gradients of the convolution's weights and of the images from those after the batch norm.
    fn convolution_gradients(
        &self,
        arch: Arch,
        seen: Seen<'_>,
        weights: Weights<'_>,
        passages: &[Passage],
        mut gradients: Vec<f32>,
        wants_images: bool,
    ) -> (Vec<f32>, Option<Vec<f32>>) {
        let geometry = self.geometry;
        let of_weights = WeightGradient::new(geometry, lanes(arch));
        let of_images =
            wants_images.then(|| InputGradient::new(geometry, weights.convolution, lanes(arch)));
        let n_images = seen.images.len() / geometry.inputs();
        let part = n_images.div_ceil(PARTS).max(1).next_multiple_of(of_weights.at_once);
        let mut images = vec![0.0; if wants_images { seen.images.len() } else { 0 }];
        let mut parts: Vec<&mut [f32]> = if wants_images {
            images.chunks_mut(part * geometry.inputs()).collect()
        } else {
            Vec::new()
        };
        parts.resize_with(n_images.div_ceil(part), Default::default);
        let sums = gradients
            .par_chunks_mut(part * geometry.outputs())
            .zip(seen.convolved.par_chunks(part * geometry.outputs()))
            .zip(seen.images.par_chunks(part * geometry.inputs()))
            .zip(parts)
            .map(|(((gradients, convolved), images), results)| {
                let passing = Passing {
                    geometry,
                    of_weights: &of_weights,
                    of_images: of_images.as_ref(),
                    passages,
                    gradients,
                    convolved,
                    images,
                    results,
                };
                arch.dispatch(passing)
            })
            .collect::<Vec<Vec<f32>>>();
        let mut sums = sums.into_iter();
        let mut convolution = sums.next().unwrap_or_else(|| vec![0.0; weights.convolution.len()]);
        for part in sums {
            convolution.iter_mut().zip(part).for_each(|(sum, it)| *sum += it);
        }
        (convolution, wants_images.then_some(images))
    }

    fn rectify(&self, arch: Arch, convolved: &[f32], affine: &[Affine]) -> Vec<f32> {
        let n_images = convolved.len() / self.geometry.outputs();
        let mut results = vec![0.0; n_images * self.results()];
        results
            .par_chunks_exact_mut(self.results())
            .zip(convolved.par_chunks_exact(self.geometry.outputs()))
            .for_each(|(results, convolved)| {
                arch.dispatch(RectifyingImage {
                    convolved,
                    rectifying: Rectifying { unit: self, affine, results },
                });
            });
        results
    }
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    /// Returns pseudo-random numbers in [-0.5, 0.5).
    fn numbers(count: usize, mut state: u32) -> Vec<f32> {
        let draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 65_536.0 - 0.5
        };
        std::iter::repeat_with(draw).take(count).collect()
    }

    fn unit(n_channels: [usize; 2], pooled: bool) -> Unit {
        let geometry =
            Geometry { channels: n_channels, kernel: 3, stride: 1, padding: 1, side: [6, 10] };
        Unit { geometry, pooled, epsilon: 1e-5 }
    }

    fn on_threads(count: usize, work: impl FnOnce() + Send) {
        ThreadPoolBuilder::new().num_threads(count).build().expect("threads").install(work);
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let unit = unit([3, 8], true);
        let [weights, gamma, beta] = [8 * 27, 8, 8].map(|count| numbers(count, 1));
        let weights = Weights { convolution: &weights, gamma: &gamma, beta: &beta };
        let images = numbers(37 * unit.geometry.inputs(), 2);
        let gradient = numbers(37 * unit.results(), 3);
        let mut made = Vec::new();
        for n_threads in [1, 2, 3] {
            on_threads(n_threads, || {
                let Trained { results, convolved, statistics } = unit.train(&images, weights);
                let seen = Seen { images: &images, convolved: &convolved, statistics: &statistics };
                let gradients = unit.gradients(seen, weights, &gradient, true);
                let all = [
                    results,
                    statistics.mean,
                    statistics.variance,
                    gradients.images.expect("asked for"),
                    gradients.convolution,
                    gradients.gamma,
                    gradients.beta,
                ];
                made.push(
                    all.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>()),
                );
            });
        }
        assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_channel_is_normalised_over_images_and_pixels() {
        let unit = unit([2, 3], false);
        let weights = numbers(3 * 18, 1);
        let weights = Weights { convolution: &weights, gamma: &[1.0; 3], beta: &[10.0; 3] };
        let results = unit.train(&numbers(4 * unit.geometry.inputs(), 2), weights).results;
        for channel in 0..3 {
            let planes = results.chunks_exact(unit.plane()).skip(channel).step_by(3);
            let values: Vec<f32> = planes.flatten().copied().collect();
            let [mean, squares] = crate::norm::moments(&values);
            assert!((mean - 10.0).abs() < 1e-4, "{mean}");
            assert!((squares / 240.0 - 1.0).abs() < 1e-3, "{squares}");
        }
    }

    #[test]
    fn no_images_give_no_results() {
        let unit = unit([2, 3], false);
        let weights = numbers(3 * 18, 1);
        let weights = Weights { convolution: &weights, gamma: &[1.0; 3], beta: &[0.0; 3] };
        let Trained { results, convolved, statistics } = unit.train(&[], weights);
        assert!(results.is_empty());
        let seen = Seen { images: &[], convolved: &convolved, statistics: &statistics };
        let gradients = unit.gradients(seen, weights, &[], true);
        assert!(gradients.convolution.iter().all(|value| value.abs() < 1e-9));
    }
}
