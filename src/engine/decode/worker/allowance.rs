//! The resource limits of one decode in a worker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ops::settings::ImageSettings;

/// The resources of one decode in a worker, in addition to the upload and the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// User and system time together.
    pub cpu: Duration,
    /// Address space, in bytes.
    pub memory: u64,
}

impl Allowance {
    /// The minimum of CPU time for any image: decoders build tables, and a slow machine must not cause refusals.
    const LEAST_CPU: Duration = Duration::from_millis(500);

    /// The minimum of memory for any image, in bytes.
    const LEAST_MEMORY: u64 = 64 << 20;

    /// Memory for each pixel, in bytes. The costliest variants need 12: 16 bits of four channels that are converted to
    /// 8, or a progressive JPEG of four channels.
    const MEMORY_PER_PIXEL: u64 = 16;

    /// The part of `self` for an image of up to `pixels`. `self` is the allowance for `most` pixels.
    #[must_use]
    pub fn share(self, pixels: u64, most: u64) -> Self {
        let cpu = self.cpu.as_nanos() * u128::from(pixels) / u128::from(most.max(1));
        let cpu = Duration::from_nanos(u64::try_from(cpu).unwrap_or(u64::MAX));
        let memory =
            Self::LEAST_MEMORY.saturating_add(pixels.saturating_mul(Self::MEMORY_PER_PIXEL));
        Self { cpu: cpu.max(Self::LEAST_CPU).min(self.cpu), memory: memory.min(self.memory) }
    }
}

/// The allowance of the largest image.
impl From<&ImageSettings> for Allowance {
    fn from(settings: &ImageSettings) -> Self {
        let cpu = Duration::from_millis(settings.max_cpu_ms.get());
        Self { cpu, memory: settings.max_memory_bytes.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_grows_with_the_image() {
        let all = Allowance { cpu: Duration::from_secs(10), memory: 512 << 20 };
        let most = 50_000_000;
        let small = Allowance { cpu: Duration::from_millis(500), memory: (64 << 20) + 16_000_000 };
        assert_eq!(all.share(1_000_000, most), small);
        assert_eq!(all.share(25_000_000, most).cpu, Duration::from_secs(5));
        assert_eq!(all.share(most, most), all);
    }

    #[test]
    fn no_share_exceeds_the_whole_allowance() {
        let all = Allowance { cpu: Duration::from_millis(100), memory: 1 << 20 };
        assert_eq!(all.share(1, 100), all);
        assert_eq!(all.share(u64::MAX, 0), all);
    }
}
