//! `[image]`: the limits of an image.

use std::num::{NonZeroU64, NonZeroUsize};

use serde::Deserialize;
use siamese_core::model::Choice;
use siamese_core::preprocessing::Limits;

/// `[image]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSettings {
    /// The most pixels of an image.
    pub max_pixels: NonZeroU64,
    /// The most memory of a decode, in bytes.
    pub max_memory_bytes: NonZeroU64,
    /// The most CPU time of a decode, in milliseconds; smaller images have less.
    pub max_cpu_ms: NonZeroU64,
    /// The most images of about one size that are decoded at once; 0 means one for each core.
    pub decodes: usize,
    /// The most pixels, in all, of the images of about one size that are decoded at once.
    pub max_pixels_in_flight: NonZeroU64,
    /// The most images in each lane of workers: being decoded or waiting.
    pub queue: NonZeroUsize,
    /// How a JPEG is decoded for a model that embeds whole images.
    pub decode: Decode,
    /// Which face of an image counts, for a model that aligns faces.
    pub faces: Choice,
}

/// How a JPEG is decoded for a model that embeds whole images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Decode {
    /// In full.
    Exact,
    /// At a fraction of its size, as far as the model's card states that distances hardly change.
    Fast,
}

impl TryFrom<String> for Decode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match &*text {
            "exact" => Ok(Self::Exact),
            "fast" => Ok(Self::Fast),
            _ => Err("a decode is `exact` or `fast`"),
        }
    }
}

impl ImageSettings {
    /// The limits of one decode.
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels.get(), max_memory: self.max_memory_bytes.get() }
    }

    /// The number of images of up to `pixels` pixels that are decoded at once: at least one.
    pub fn decodes(&self, pixels: u64) -> NonZeroUsize {
        let most = NonZeroUsize::new(self.decodes)
            .or(std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN);
        let fitting = usize::try_from(self.max_pixels_in_flight.get() / pixels.max(1));
        fitting.map_or(most, |fitting| {
            NonZeroUsize::new(fitting).unwrap_or(NonZeroUsize::MIN).min(most)
        })
    }
}
