//! Dropping whole channels while training.

use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Drops whole channels (2-D dropout), or nothing.
///
/// It draws from a generator of its own, so that a training step depends on nothing but its seed.
#[derive(Debug)]
pub struct Dropout(Option<ChaCha8Rng>);

impl Dropout {
    /// Evaluation: every channel passes as it is.
    pub fn off() -> Self {
        Self(None)
    }

    /// Training, drawing from `random`.
    pub fn on(random: &mut ChaCha8Rng) -> Self {
        Self(Some(ChaCha8Rng::from_rng(random)))
    }

    /// Whether this is training.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Drops each channel of each picture with the chance `rate`, and scales the rest by
    /// 1 / (1 − rate), so that the expectation stays.
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
