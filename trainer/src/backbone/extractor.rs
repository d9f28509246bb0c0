//! Computes the features of images on all cores, and caches them.

use siamese_core::model::{Align, Preprocessor};
use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Pixels, Preprocessing};

use super::LoadedBackbone;
use super::progress::Progress;
use super::sessions::Sessions;
use super::stored::Stored;
use crate::data::{Unreadable, digest_of};

/// The side of a thumbnail.
const SIDE: u32 = 64;

/// The features of one image.
#[derive(Clone, Debug)]
pub struct Features {
    /// The row of features of all poolings; see [`Backbone::pooled`](super::Backbone::pooled).
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
    cache: Stored,
    progress: Progress,
}

impl Extractor {
    /// Opens the network for images of this preprocessing. `n_images` is the length of the progress bar.
    ///
    /// # Errors
    ///
    /// If the network can't be run.
    pub fn new(
        loaded: &LoadedBackbone,
        preprocessing: &Preprocessing,
        align: Option<Align>,
        n_images: usize,
    ) -> anyhow::Result<Self> {
        let preprocessor = Preprocessor::new(preprocessing.clone(), align.clone())?;
        let onnx = loaded.with_features()?;
        let sessions = Sessions::open(loaded.backbone.name(), &onnx, preprocessing, align)?;
        let cache = Stored::open("features", sessions.folder());
        let Preprocessing { height, width, .. } = preprocessing;
        let what = format!("features of images of {height}x{width} pixels");
        let progress = Progress::new(what, n_images);
        Ok(Self { sessions, preprocessor, cache, progress })
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
        let known = self.cache.read(&digest).and_then(|bytes| self.read(&bytes));
        let features = if let Some(features) = known {
            features
        } else {
            let features = self.compute(upload)?;
            self.cache.keep(&digest, &bytes(&features));
            features
        };
        self.progress.advance();
        Ok(features)
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.progress.finish();
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
