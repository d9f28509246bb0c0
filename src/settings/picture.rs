//! `[picture]`: what a picture may cost.

use std::num::NonZeroUsize;

use serde::Deserialize;

use crate::picture::Limits;

/// `[picture]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSettings {
    /// The most pixels.
    pub max_pixels: u64,
    /// The most memory of a decode.
    pub max_memory_bytes: u64,
    /// Pictures of about one size that are decoded at once; 0 means one a core.
    pub decodes: usize,
    /// The most pixels of pictures of about one size that are decoded at once.
    pub max_pixels_in_flight: u64,
}

impl PictureSettings {
    /// What a picture may cost.
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels, max_memory: self.max_memory_bytes }
    }

    /// How many pictures of up to so many pixels are decoded at once: at least one.
    pub fn decodes(&self, pixels: u64) -> usize {
        let most = match self.decodes {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            decodes => decodes,
        };
        let room = self.max_pixels_in_flight / pixels.max(1);
        usize::try_from(room).unwrap_or(most).clamp(1, most)
    }
}
