//! Sessions of a network, one for each thread.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use siamese_core::model::{
    Align, Card, Device, Length, Model, OnnxModel, Options, Source, rewrite,
};
use siamese_core::preprocessing::{Pixels, Preprocessing};

use crate::data::{Unreadable, digest_of};

/// Sessions of a network whose output is a row of features.
///
/// Each thread takes a session of its own, which runs on one core: a convolutional network gains more from one image per
/// core than from several cores per image.
pub(super) struct Sessions {
    source: Source,
    digest: String,
    width: usize,
    /// Sessions that no thread uses.
    idle: Mutex<Vec<OnnxModel>>,
}

impl Sessions {
    /// Opens a network for images of this preprocessing.
    pub(super) fn open(
        name: &str,
        onnx: &[u8],
        preprocessing: &Preprocessing,
        align: Option<Align>,
    ) -> anyhow::Result<Self> {
        let card = Card {
            name: name.to_owned(),
            purpose: None,
            limits: None,
            preprocessing: preprocessing.clone(),
            reduction: None,
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
        let onnx = rewrite(onnx, &card.to_metadata())?;
        let digest = digest_of(&onnx);
        let source = Source::of(Path::new(name), onnx)?;
        let first = OnnxModel::open(&source, &one_thread())?;
        let width = first.description().width;
        Ok(Self { source, digest, width, idle: Mutex::new(vec![first]) })
    }

    /// Returns the number of features in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns the name of a folder for what the network gives. The network's file contains the preprocessing, so its
    /// digest determines the features of an image.
    pub(super) fn folder(&self) -> &str {
        self.digest.trim_start_matches("sha256:")
    }

    /// Computes the features of each image.
    pub(super) fn rows(&self, images: &[Pixels]) -> Result<Vec<Vec<f32>>, Unreadable> {
        let idle = self.idle().pop();
        let mut model = match idle {
            Some(model) => model,
            None => OnnxModel::open(&self.source, &one_thread())
                .map_err(|error| std::io::Error::other(error.to_string()))?,
        };
        let embedded = model.embed(images);
        self.idle().push(model);
        embedded?.into_iter().map(|row| Ok(row?.coordinates().to_vec())).collect()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<OnnxModel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one_thread() -> Options {
    let one = NonZeroUsize::MIN;
    Options { device: Device::Cpu, threads: Some(one), max_batch: one, ..Options::default() }
}
