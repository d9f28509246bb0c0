//! `[picture]`: what a picture may cost.

use std::num::{NonZeroU64, NonZeroUsize};

use serde::Deserialize;
use siamese_core::picture::Limits;

/// `[picture]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSettings {
    /// The most pixels.
    pub max_pixels: NonZeroU64,
    /// The most memory of a decode.
    pub max_memory_bytes: NonZeroU64,
    /// The most CPU time of a decode, in milliseconds; pictures of fewer pixels have less.
    pub max_cpu_ms: NonZeroU64,
    /// Pictures of about one size that are decoded at once; 0 means one a core.
    pub decodes: usize,
    /// The most pixels of pictures of about one size that are decoded at once.
    pub max_pixels_in_flight: NonZeroU64,
    /// Pictures that are decoded by workers or wait for that, in each lane.
    pub queue: NonZeroUsize,
}

impl PictureSettings {
    /// What a picture may cost.
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels.get(), max_memory: self.max_memory_bytes.get() }
    }

    /// How many pictures of up to so many pixels are decoded at once: at least one.
    pub fn decodes(&self, pixels: u64) -> NonZeroUsize {
        let most = NonZeroUsize::new(self.decodes)
            .or(std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN);
        let room = usize::try_from(self.max_pixels_in_flight.get() / pixels.max(1));
        room.map_or(most, |room| NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN).min(most))
    }
}
