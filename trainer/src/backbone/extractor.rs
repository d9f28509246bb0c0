//! Computes the features of images on all cores, and caches them.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use siamese_core::model::{
    Align, Card, Device, Length, Model, OnnxModel, Options, Preprocessor, Source, rewrite,
};
use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Pixels, Preprocessing};
use tempfile::NamedTempFile;

use super::LoadedBackbone;
use super::progress::Progress;
use crate::cache;
use crate::data::{Unreadable, digest_of};

/// The length of a digest as text, at the end of a cached file.
const CHECKSUM: usize = "sha256:".len() + 64;
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
///
/// Each thread takes a session of its own, which runs on one core: a convolutional network gains more from one image per
/// core than from several cores per image.
pub struct Extractor {
    source: Source,
    preprocessor: Preprocessor,
    width: usize,
    /// Sessions that no thread uses.
    idle: Mutex<Vec<OnnxModel>>,
    /// `None` if nothing can be cached.
    cache: Option<PathBuf>,
    /// Whether a warning has said that nothing can be written into the cache.
    has_warned: AtomicBool,
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
        let backbone = &loaded.backbone;
        let preprocessor = Preprocessor::new(preprocessing.clone(), align.clone())?;
        let card = Card {
            name: backbone.name().to_owned(),
            purpose: None,
            limits: None,
            preprocessing: preprocessing.clone(),
            align,
            length: Length::AsIs,
            margin: None,
            threshold: None,
            calibration: None,
            changes: None,
            familiarity: None,
            provenance: None,
            weights: None,
            golden: None,
        };
        let onnx = rewrite(&loaded.with_features()?, &card.to_metadata())?;
        // The file contains the preprocessing, so its digest determines the features of an image.
        let digest = digest_of(&onnx);
        let cache = cache::folder("features")
            .map(|folder| folder.join(digest.trim_start_matches("sha256:")));
        let source = Source::of(Path::new(backbone.name()), onnx)?;
        let first = OnnxModel::open(&source, &one_thread())?;
        let Preprocessing { height, width, .. } = preprocessing;
        let what = format!("features of images of {height}x{width} pixels");
        Ok(Self {
            width: first.description().width,
            source,
            preprocessor,
            idle: Mutex::new(vec![first]),
            cache,
            has_warned: AtomicBool::new(false),
            progress: Progress::new(what, n_images),
        })
    }

    /// Computes the features of an upload, or reads them from the cache.
    ///
    /// # Errors
    ///
    /// If the upload can't be preprocessed, or the network fails on it.
    pub fn features(&self, upload: &[u8]) -> Result<Features, Unreadable> {
        let digest = digest_of(upload);
        let name = digest.trim_start_matches("sha256:");
        let file = self.cache.as_ref().map(|cache| cache.join(&name[..2]).join(&name[2..]));
        let known = file.as_ref().and_then(|file| self.read(&fs::read(file).ok()?));
        let is_new = known.is_none();
        let features = known.map_or_else(|| self.compute(upload), Ok)?;
        self.progress.advance();
        if let (true, Some(file)) = (is_new, file) {
            self.keep(&file, &features);
        }
        Ok(features)
    }

    /// Writes features into the cache. The cache only saves time, so a full disk is no error.
    fn keep(&self, file: &Path, features: &Features) {
        if let Err(error) = write(file, features)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            cache::warn(&format!("{} can't be written ({error})", file.display()));
        }
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.progress.finish();
    }

    fn compute(&self, upload: &[u8]) -> Result<Features, Unreadable> {
        let limits = Limits::default();
        let pixels = self.preprocessor.preprocess(upload, &limits)?;
        let thumbnail = thumbnail(upload, &limits)?;
        let idle = self.idle().pop();
        let mut model = match idle {
            Some(model) => model,
            None => OnnxModel::open(&self.source, &one_thread())
                .map_err(|error| std::io::Error::other(error.to_string()))?,
        };
        let embedded = model.embed(&[pixels]);
        self.idle().push(model);
        let row = embedded?.swap_remove(0)?;
        Ok(Features { row: Pixels::new(row.coordinates().to_vec()), thumbnail })
    }

    fn read(&self, bytes: &[u8]) -> Option<Features> {
        let [channels, height, width] = Features::SHAPE;
        let (bytes, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        if digest_of(bytes).as_bytes() != checksum {
            return None;
        }
        let (row, thumbnail) = bytes.split_at_checked(self.width * size_of::<f32>())?;
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

    fn idle(&self) -> MutexGuard<'_, Vec<OnnxModel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one_thread() -> Options {
    let one = NonZeroUsize::MIN;
    Options { device: Device::Cpu, threads: Some(one), max_batch: one, ..Options::default() }
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

/// Writes features as [`Extractor::read`] reads them. The file appears only when it is complete.
fn write(path: &Path, features: &Features) -> anyhow::Result<()> {
    let folder = path.parent().context("a path in the cache folder")?;
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    let numbers = features.row.values().iter();
    let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    bytes.extend(features.thumbnail.values().iter().map(|value| (value * 255.0).round() as u8));
    file.write_all(&bytes)?;
    file.write_all(digest_of(&bytes).as_bytes())?;
    file.persist(path)?;
    Ok(())
}
