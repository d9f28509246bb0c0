//! Pretrained networks from elsewhere. A head turns their features into embeddings.
//!
//! This module knows ONNX files, the maps in them, and their features of images. It knows no training.

mod cells;
mod extractor;
mod features;
mod file;
mod lite0;
mod sessions;
mod stored;

use std::path::Path;

use anyhow::{Context, ensure};
use siamese_core::preprocessing::Preprocessing;

use crate::data::digest_of;

use cells::CellMap;
pub use cells::{CellBackbone, CellExtractor, CellTile};
pub use extractor::{Extractor, Features};
pub use features::Head;

/// A pretrained network, as an ONNX file whose input is one batch of images.
#[derive(Clone, Debug)]
pub struct Backbone {
    name: String,
    onnx: Vec<u8>,
    output: Output,
    /// Its first stages, if cells can be embedded from them.
    cells: Option<CellBackbone>,
    preprocessing: Preprocessing,
    /// The sides of an image must be multiples of this number of pixels.
    multiple: u32,
    origin: serde_json::Value,
}

/// Where the features of a network are taken.
#[derive(Clone, Debug, PartialEq)]
enum Output {
    /// From maps of several depths.
    Maps(Vec<Map>),
    /// From a tensor with one row of features for each image, `[n, width]`.
    Row { tensor: String, width: usize },
}

/// A map in a network: `[n, width, rows, columns]`.
#[derive(Clone, Debug, PartialEq)]
struct Map {
    tensor: String,
    width: usize,
    /// The number of its rows and columns is this multiple of that of the coarsest map.
    fineness: usize,
    /// Whether the deviations of its channels over the places are features in addition to their means.
    has_deviations: bool,
}

impl Backbone {
    /// Opens the network of a name, or of an ONNX file.
    ///
    /// # Errors
    ///
    /// If it can't be fetched, read or used.
    pub fn open(name: &str) -> anyhow::Result<Self> {
        match name {
            lite0::NAME => lite0::open(),
            file => file::open(Path::new(file)),
        }
    }

    /// Returns its short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the digest of its ONNX file.
    pub fn digest(&self) -> String {
        digest_of(&self.onnx)
    }

    /// Returns the preprocessing that it was trained with.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Checks that it can read images of a preprocessing.
    ///
    /// # Errors
    ///
    /// If it can't; the error says which images it reads.
    pub fn check(&self, preprocessing: &Preprocessing) -> anyhow::Result<()> {
        let Preprocessing { height, width, colour, .. } = *preprocessing;
        let (name, multiple) = (self.name(), self.multiple);
        ensure!(
            colour.channels() == self.preprocessing.colour.channels(),
            "{name} reads {} images, not {colour}: omit --colour",
            self.preprocessing.colour
        );
        ensure!(
            height.is_multiple_of(multiple) && width.is_multiple_of(multiple),
            "{name} reads images whose sides are multiples of {multiple} pixels, not {height}x{width}: choose another \
             --input, such as {}x{}",
            height.next_multiple_of(multiple),
            width.next_multiple_of(multiple)
        );
        Ok(())
    }

    /// Returns its first stages, from which cells are embedded.
    ///
    /// # Errors
    ///
    /// If it has no maps of cells; the error says what to do instead.
    pub fn cells(&self) -> anyhow::Result<&CellBackbone> {
        self.cells.as_ref().with_context(|| {
            format!(
                "{} can't be trained on the places of changes: give --backbone lite0, or a list with the column changed \
                 instead of boxes or mask",
                self.name()
            )
        })
    }

    /// Returns its origin and its licence, for the provenance of a model.
    pub fn origin(&self) -> &serde_json::Value {
        &self.origin
    }
}
