//! Channel dropout.

use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Channel dropout (2-D dropout), or no dropout.
///
/// It has its own random generator, so a training step depends only on its seed.
#[derive(Debug)]
pub struct Dropout(Option<ChaCha8Rng>);

impl Dropout {
    /// Returns no dropout, for evaluation.
    pub fn off() -> Self {
        Self(None)
    }

    /// Returns dropout for training, seeded by `random`.
    pub fn on(random: &mut ChaCha8Rng) -> Self {
        Self(Some(ChaCha8Rng::from_rng(random)))
    }

    /// Returns whether dropout is on.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the random generator; `None` in evaluation.
    pub(super) fn random(&mut self) -> Option<&mut ChaCha8Rng> {
        self.0.as_mut()
    }

    /// Drops each channel of each image with probability `rate`, and scales the others by 1 / (1 − rate) to keep the
    /// expected value.
    ///
    /// # Shapes
    ///
    /// - `maps`: `[n, channels, height, width]`, and the same out
    pub fn channels(&mut self, maps: Tensor<4>, rate: f64) -> Tensor<4> {
        let Some(random) = self.0.as_mut().filter(|_| 0.0 < rate) else {
            return maps;
        };
        let [n, channels, _, _] = maps.dims();
        #[expect(clippy::cast_possible_truncation, reason = "a scale in single precision")]
        let scale = (1.0 / (1.0 - rate)) as f32;
        let mask: Vec<f32> =
            (0..n * channels).map(|_| if random.random_bool(rate) { 0.0 } else { scale }).collect();
        let mask = Tensor::from_data(TensorData::new(mask, [n, channels, 1, 1]), &maps.device());
        maps * mask
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn drop(dropout: &mut Dropout, rate: f64) -> Vec<f32> {
        let maps = Tensor::ones([10, 100, 2, 1], &Device::flex());
        let dropped = dropout.channels(maps, rate);
        dropped.into_data().try_to_vec().expect("single precision")
    }

    #[test]
    fn a_fifth_of_the_channels_is_dropped_and_the_others_are_scaled_up() {
        let dropped = drop(&mut Dropout::on(&mut ChaCha8Rng::seed_from_u64(1)), 0.2);
        assert!(dropped.chunks(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()));
        assert!(dropped.iter().all(|value| *value < 1e-6 || (value - 1.25).abs() < 1e-6));
        let n_dropped = dropped.iter().filter(|value| **value < 1e-6).count() / 2;
        assert!((160..=240).contains(&n_dropped), "{n_dropped} of 1000");
    }

    #[test]
    fn evaluation_drops_nothing() {
        assert!(drop(&mut Dropout::off(), 0.2).iter().all(|value| (value - 1.0).abs() < 1e-6));
    }
}
