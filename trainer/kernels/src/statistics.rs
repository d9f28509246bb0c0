//! The statistics of a batch for batch norm.

use crate::norm::{Affine, Passage};
use crate::unit::Weights;

/// The mean and variance of each channel, `[out]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Over images and pixels.
    pub mean: Vec<f32>,
    /// The mean squared difference from the mean (the biased variance).
    pub variance: Vec<f32>,
}

/// A batch norm with its statistics, channel by channel.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    /// The transformation of values.
    pub(crate) affine: Vec<Affine>,
    /// The standard deviations, with the epsilon.
    deviations: Vec<f64>,
}

impl Statistics {
    /// Combines the moments of all images, for planes of `plane` pixels (Chan, Golub, `LeVeque` 1983).
    pub(crate) fn of(moments: &[Vec<[f32; 2]>], plane: usize) -> Self {
        let [count, plane] = [moments.len(), plane].map(double);
        let n_channels = moments.first().map_or(0, Vec::len);
        let (mean, variance) = (0..n_channels)
            .map(|channel| {
                let planes = || moments.iter().map(|image| image[channel].map(f64::from));
                let mean = planes().map(|moments| moments[0]).sum::<f64>() / count;
                let within = planes().map(|moments| moments[1]).sum::<f64>() / plane;
                let between = planes().map(|moments| (moments[0] - mean).powi(2)).sum::<f64>();
                (single(mean), single((within + between) / count))
            })
            .unzip();
        Self { mean, variance }
    }
}

impl Norm {
    pub(crate) fn new(weights: Weights<'_>, statistics: &Statistics, epsilon: f64) -> Self {
        let deviation = |variance: &f32| (f64::from(*variance) + epsilon).sqrt();
        let deviations: Vec<f64> = statistics.variance.iter().map(deviation).collect();
        let norms = weights.gamma.iter().zip(weights.beta).zip(&statistics.mean).zip(&deviations);
        let affine = norms.map(|(((gamma, beta), mean), deviation)| {
            let scale = f64::from(*gamma) / deviation;
            let shift = f64::from(*beta) - f64::from(*mean) * scale;
            Affine { scale: single(scale), shift: single(shift) }
        });
        Self { affine: affine.collect(), deviations }
    }

    /// Returns how gradients pass the batch norm; the statistics are those of the `count` values of a channel (Ioffe and
    /// Szegedy 2015).
    ///
    /// `sums` are those of [`crate::norm::gradient_sums`], over the batch.
    pub(crate) fn passages(
        &self,
        sums: &[[f64; 2]],
        statistics: &Statistics,
        count: usize,
    ) -> Vec<Passage> {
        let channels = self.affine.iter().zip(sums).zip(&self.deviations).zip(&statistics.mean);
        channels
            .map(|(((affine, sums), deviation), mean)| {
                let per_value = -f64::from(affine.scale) / double(count);
                Passage {
                    scale: affine.scale,
                    slope: single(per_value * sums[1] / deviation.powi(2)),
                    shift: single(per_value * sums[0]),
                    mean: *mean,
                }
            })
            .collect()
    }

    /// Returns the gradients of gamma and beta.
    pub(crate) fn gradients(&self, sums: &[[f64; 2]]) -> [Vec<f32>; 2] {
        let gamma = sums.iter().zip(&self.deviations).map(|(it, deviation)| it[1] / deviation);
        [gamma.map(single).collect(), sums.iter().map(|sums| single(sums[0])).collect()]
    }
}

/// Adds the sums of all images, in order.
pub(crate) fn in_order(sums: &[Vec<[f32; 2]>], n_channels: usize) -> Vec<[f64; 2]> {
    let mut total = vec![[0.0; 2]; n_channels];
    for sums in sums {
        for (total, [first, second]) in total.iter_mut().zip(sums) {
            total[0] += f64::from(*first);
            total[1] += f64::from(*second);
        }
    }
    total
}

fn double(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no batch has 2^53 pixels")]
    let count = count as f64;
    count
}

fn single(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "more precision is kept for sums alone")]
    let value = value as f32;
    value
}
