//! A foreign ONNX file.

use std::path::{Path, PathBuf};

use siamese_core::model::{
    Card, Element, LoadError, NotOnnx, OnnxModel, Options, Outline, Source, rewrite,
};
use siamese_core::preprocessing::{Fit, Preprocessing};

use super::probe::{InputOptions, element, probe};
use super::{AdoptError, Usage};
use crate::data::digest_of_file;
use crate::export::in_memory;

/// A foreign ONNX file, with external weights included.
pub struct Network {
    path: PathBuf,
    source: Source,
    digest: String,
    outline: Outline,
}

impl Network {
    /// Reads a file and its external weights, and loads them with ONNX Runtime.
    pub fn read(path: &Path, options: &Options) -> Result<Self, AdoptError> {
        let source = Source::read(path).map_err(|error| match error {
            LoadError::Unreadable { path: file, source: cause } if file == path => {
                AdoptError::Read { path: file, cause }
            }
            LoadError::Unreadable { path: file, source: cause }
                if file != path.with_extension("toml") =>
            {
                AdoptError::Weights { path: file, cause }
            }
            error => error.into(),
        })?;
        let digest = digest_of_file(path)
            .map_err(|cause| AdoptError::Read { path: path.to_owned(), cause })?;
        let outline = Outline::of(&source, options)?;
        Ok(Self { path: path.to_owned(), source, digest, outline })
    }

    /// Returns a preprocessing for the input that the file and the `options` define. Images are stretched. The scale
    /// gives 0 to 1 for single precision, and leaves bytes as they are.
    pub fn input(&self, options: InputOptions) -> Result<Preprocessing, AdoptError> {
        let input = probe(&self.outline, options)
            .map_err(|why| AdoptError::Unsuitable { path: self.path.clone(), why })?;
        Ok(Preprocessing {
            height: input.height,
            width: input.width,
            colour: input.colour,
            fit: Fit::Stretch,
            scale: match input.element {
                Element::F32 => 1.0 / 255.0,
                Element::U8 => 1.0,
            },
            mean: vec![0.0],
            std: vec![1.0],
        })
    }

    /// Checks that the network can read the images of a preprocessing.
    ///
    /// # Errors
    ///
    /// If it reads bytes, and the preprocessing changes them.
    pub fn check(&self, preprocessing: &Preprocessing) -> Result<(), AdoptError> {
        let checked = self.element().map_or(Ok(()), |element| element.check(preprocessing));
        checked.map_err(|why| AdoptError::Bytes { path: self.path.clone(), why })
    }

    /// Returns the type of the input's numbers; `None` if no model can have it.
    pub(super) fn element(&self) -> Option<Element> {
        element(&self.outline)
    }

    /// Returns the file with a card in its metadata.
    pub fn with(&self, card: &Card) -> Result<Vec<u8>, NotOnnx> {
        rewrite(self.source.onnx(), &card.to_metadata())
    }

    /// Loads the network with a card.
    pub fn model(&self, card: &Card, options: &Options) -> Result<OnnxModel, AdoptError> {
        Ok(in_memory(&self.path, self.with(card)?, options)?)
    }

    /// Makes a card with the usage and the origin of the network.
    pub(super) fn card(&self, name: &str, usage: &Usage) -> Card {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        Card {
            name: name.to_owned(),
            purpose: None,
            limits: None,
            preprocessing: usage.preprocessing.clone(),
            align: usage.align.clone(),
            length: usage.length,
            margin: None,
            threshold: None,
            calibration: None,
            changes: None,
            familiarity: None,
            provenance: Some(serde_json::json!({
                "adopted_from": {"file": file, "digest": self.digest},
                "trainer": env!("CARGO_PKG_VERSION"),
            })),
            reduction: None,
            weights: None,
            golden: None,
        }
    }
}
