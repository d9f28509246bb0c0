//! Computes the features of images on all cores, and caches them.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::{Align, Preprocessor};
use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Pixels, Preprocessing};

use super::sessions::Sessions;
use super::{Backbone, stored};
use crate::cache;
use crate::data::{Unreadable, digest_of};

/// The side of a thumbnail.
const SIDE: u32 = 64;

/// The features of one image.
#[derive(Clone, Debug)]
pub struct Features {
    /// The row of features, as the head reads it.
    pub row: Pixels,
    /// The image, small and stretched to a square, for comparisons with others; values in [0, 1]. See [`Features::SHAPE`].
    pub thumbnail: Pixels,
}

impl Features {
    /// The shape of a thumbnail: channels, height and width.
    pub const SHAPE: [usize; 3] = [3, SIDE as usize, SIDE as usize];
}

/// Computes features.
pub struct Extractor {
    sessions: Sessions,
    preprocessor: Preprocessor,
    cache: PathBuf,
    bar: ProgressBar,
}

impl Extractor {
    /// Opens the network for images of this preprocessing. `n_images` is the length of the progress bar.
    ///
    /// # Errors
    ///
    /// If the network can't be run, or there is no cache folder.
    pub fn new(
        backbone: &Backbone,
        preprocessing: &Preprocessing,
        align: Option<Align>,
        n_images: usize,
    ) -> anyhow::Result<Self> {
        let preprocessor = Preprocessor::new(preprocessing.clone(), align.clone())?;
        let onnx = backbone.with_features()?;
        let sessions = Sessions::open(backbone.name(), &onnx, preprocessing, align)?;
        let cache = cache::folder("features")?.join(sessions.folder());
        let style = ProgressStyle::with_template("features {wide_bar} {pos}/{len}, {eta} left")?;
        let bar = ProgressBar::new(n_images.try_into().unwrap_or(u64::MAX)).with_style(style);
        Ok(Self { sessions, preprocessor, cache, bar })
    }

    /// Returns the number of features of an image.
    pub fn width(&self) -> usize {
        self.sessions.width()
    }

    /// Computes the features of an upload, or reads them from the cache.
    ///
    /// # Errors
    ///
    /// If the upload can't be preprocessed, or the network fails on it.
    pub fn features(&self, upload: &[u8]) -> Result<Features, Unreadable> {
        let digest = digest_of(upload);
        let name = digest.trim_start_matches("sha256:");
        let file = self.cache.join(&name[..2]).join(&name[2..]);
        let known = stored::read(&file).and_then(|bytes| self.read(&bytes));
        self.bar.inc(1);
        if let Some(features) = known {
            return Ok(features);
        }
        let features = self.compute(upload)?;
        // The cache only saves time, so a full disk is no error.
        let _ = stored::write(&file, &bytes(&features));
        Ok(features)
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn compute(&self, upload: &[u8]) -> Result<Features, Unreadable> {
        let limits = Limits::default();
        let pixels = self.preprocessor.preprocess(upload, &limits)?;
        let thumbnail = thumbnail(upload, &limits)?;
        let row = self.sessions.rows(&[pixels])?.swap_remove(0);
        Ok(Features { row: Pixels::new(row), thumbnail })
    }

    fn read(&self, bytes: &[u8]) -> Option<Features> {
        let [channels, height, width] = Features::SHAPE;
        let (row, thumbnail) = bytes.split_at_checked(self.width() * size_of::<f32>())?;
        if thumbnail.len() != channels * height * width {
            return None;
        }
        let numbers = row.chunks_exact(4);
        let row: Vec<_> =
            numbers.map(|it| f32::from_le_bytes(it.try_into().expect("four bytes"))).collect();
        if !row.iter().all(|number| number.is_finite()) {
            return None;
        }
        let thumbnail = thumbnail.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        Some(Features { row: Pixels::new(row), thumbnail: Pixels::new(thumbnail) })
    }
}

fn thumbnail(upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
    let preprocessing = Preprocessing {
        height: SIDE,
        width: SIDE,
        colour: Colour::Rgb,
        fit: Fit::Stretch,
        scale: 1.0 / 255.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    preprocessing.preprocess(upload, limits)
}

/// Features as [`Extractor::read`] reads them.
fn bytes(features: &Features) -> Vec<u8> {
    let numbers = features.row.values().iter();
    let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    bytes.extend(features.thumbnail.values().iter().map(|value| (value * 255.0).round() as u8));
    bytes
}
