//! What one decode may take of a worker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ops::settings::PictureSettings;

/// What one decode may take of a worker, beyond the upload itself and the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// User and system time together.
    pub cpu: Duration,
    /// Address space, in bytes.
    pub memory: u64,
}

impl Allowance {
    /// CPU time that a picture of any size has: decoders make tables, and a slow machine is no reason to refuse.
    const LEAST_CPU: Duration = Duration::from_millis(500);

    /// Memory that a picture of any size has, in bytes.
    const LEAST_MEMORY: u64 = 64 << 20;

    /// Memory for each pixel, in bytes: the costliest kinds that are decoded, 16 bits of four channels that are then
    /// brought to 8, or a progressive JPEG of four channels, take 12.
    const MEMORY_PER_PIXEL: u64 = 16;

    /// The share of `self`, what a picture of `most` pixels may take, for one of up to `pixels`.
    #[must_use]
    pub fn share(self, pixels: u64, most: u64) -> Self {
        let cpu = self.cpu.as_nanos() * u128::from(pixels) / u128::from(most.max(1));
        let cpu = Duration::from_nanos(u64::try_from(cpu).unwrap_or(u64::MAX));
        let memory =
            Self::LEAST_MEMORY.saturating_add(pixels.saturating_mul(Self::MEMORY_PER_PIXEL));
        Self { cpu: cpu.max(Self::LEAST_CPU).min(self.cpu), memory: memory.min(self.memory) }
    }
}

/// What the largest picture may take.
impl From<&PictureSettings> for Allowance {
    fn from(settings: &PictureSettings) -> Self {
        let cpu = Duration::from_millis(settings.max_cpu_ms.get());
        Self { cpu, memory: settings.max_memory_bytes.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_have_little_and_the_largest_all() {
        let all = Allowance { cpu: Duration::from_secs(10), memory: 512 << 20 };
        let most = 50_000_000;
        let small = Allowance { cpu: Duration::from_millis(500), memory: (64 << 20) + 16_000_000 };
        assert_eq!(all.share(1_000_000, most), small);
        assert_eq!(all.share(25_000_000, most).cpu, Duration::from_secs(5));
        assert_eq!(all.share(most, most), all);
    }

    #[test]
    fn no_share_is_larger_than_the_whole() {
        let all = Allowance { cpu: Duration::from_millis(100), memory: 1 << 20 };
        assert_eq!(all.share(1, 100), all);
        assert_eq!(all.share(u64::MAX, 0), all);
    }
}
