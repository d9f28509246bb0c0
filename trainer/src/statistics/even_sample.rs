//! An even sample of many values.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An even sample of many values: random, and always the same.
#[derive(Clone, Debug)]
pub struct EvenSample {
    share: f64,
    random: ChaCha8Rng,
}

impl EvenSample {
    /// Takes about `most` of `count` values; all if there are no more.
    pub fn new(most: usize, count: usize) -> Self {
        let share = super::real(most) / super::real(count.max(1));
        Self { share, random: ChaCha8Rng::seed_from_u64(0) }
    }

    /// Returns whether the next value belongs to the sample.
    pub fn takes(&mut self) -> bool {
        1.0 <= self.share || self.random.random::<f64>() < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(most: usize, count: usize) -> Vec<usize> {
        let mut sample = EvenSample::new(most, count);
        (0..count).filter(|_| sample.takes()).collect()
    }

    #[test]
    fn a_sample_is_about_as_large_as_wanted_and_always_the_same() {
        assert_eq!(taken(5, 5).len(), 5);
        let sample = taken(1_000, 4_000);
        assert!((900..1_100).contains(&sample.len()), "{}", sample.len());
        assert_eq!(sample, taken(1_000, 4_000));
    }
}
