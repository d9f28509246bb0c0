//! Pretrained networks from elsewhere. A head turns their features into embeddings.
//!
//! This module knows ONNX files, the maps in them, and their features of images. It knows no training.

mod cells;
mod extractor;
mod features;
mod file;
mod lite0;
mod pooling;
mod progress;
mod sessions;
mod stored;

use std::path::Path;

use anyhow::{Context, bail, ensure};
use siamese_core::preprocessing::Preprocessing;

pub use cells::{CellBackbone, CellExtractor, CellTile};
pub use extractor::{Extractor, Features};
pub use features::Head;
pub use lite0::NotFetched;
pub use pooling::Pooling;

/// The sides of square inputs that are worth a measurement, in pixels.
const SIDES: [u32; 4] = [160, 192, 224, 256];

/// A pretrained network whose input is one batch of images: what it reads and what it gives.
#[derive(Clone, Debug)]
pub struct Backbone {
    name: String,
    digest: String,
    output: Output,
    /// The numbers of channels of the maps that cells are embedded from, the fine map first, if it has them.
    cells: Option<[usize; 2]>,
    preprocessing: Preprocessing,
    /// The sides of an image must be multiples of this number of pixels.
    multiple: u32,
    /// Whether it reads images of any such sides.
    has_open_sides: bool,
    origin: serde_json::Value,
    file: File,
}

/// Where the network is.
#[derive(Clone, Debug)]
enum File {
    /// In the weights of lite0, which are fetched when they are needed.
    Lite0,
    /// In memory.
    Read(Onnx),
}

/// A network as ONNX.
#[derive(Clone, Debug)]
struct Onnx {
    bytes: Vec<u8>,
    /// The names of the tensors that the features are taken from: the maps, or the row.
    tensors: Vec<String>,
}

/// A backbone with its network.
#[derive(Clone, Debug)]
pub struct LoadedBackbone {
    /// What the network reads and gives.
    pub backbone: Backbone,
    onnx: Onnx,
    /// Its first stages, if cells can be embedded from them.
    cells: Option<CellBackbone>,
}

/// Where the features of a network are taken.
#[derive(Clone, Debug, PartialEq)]
enum Output {
    /// From maps of several depths, the last one first.
    Maps(Vec<Map>),
    /// From a tensor with one row of features for each image: the number of features.
    Row(usize),
}

/// A map in a network: `[n, width, rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Map {
    width: usize,
    /// The number of its rows and columns is this multiple of that of the coarsest map.
    fineness: usize,
    /// Whether the deviations of its channels over the places are features in addition to their means.
    has_deviations: bool,
}

impl Backbone {
    /// Describes the network of a name, or opens an ONNX file. Fetches nothing.
    ///
    /// # Errors
    ///
    /// If the file can't be read or used.
    pub fn open(name: &str) -> anyhow::Result<Self> {
        match name {
            lite0::NAME => Ok(lite0::describe()),
            file => file::open(Path::new(file)),
        }
    }

    /// Returns it with its network, which is fetched if necessary.
    ///
    /// # Errors
    ///
    /// If the network can't be fetched or read.
    pub fn load(self) -> anyhow::Result<LoadedBackbone> {
        let (onnx, cells) = match &self.file {
            File::Lite0 => lite0::load().map(|(onnx, cells)| (onnx, Some(cells)))?,
            File::Read(onnx) => (onnx.clone(), None),
        };
        Ok(LoadedBackbone { backbone: self, onnx, cells })
    }

    /// Returns its short name, or the absolute path of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the digest of its file: of the ONNX, or of the weights that it is made from.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the preprocessing that it was trained with.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Returns the sides that its square input may have, and that are worth a measurement. None if only one size is possible.
    pub fn sides(&self) -> Vec<u32> {
        let Preprocessing { height, width, .. } = self.preprocessing;
        if !self.has_open_sides || height != width {
            return Vec::new();
        }
        let mut sides = SIDES.to_vec();
        sides.push(height);
        sides.sort_unstable();
        sides.dedup();
        sides
    }

    /// Checks that it has a pooling.
    ///
    /// # Errors
    ///
    /// If it hasn't; the error says which it has.
    pub fn check_pooling(&self, pooling: Pooling) -> anyhow::Result<()> {
        let names: Vec<_> = self.poolings().iter().map(ToString::to_string).collect();
        if names.is_empty() {
            bail!("{} gives a row of features itself: omit --pooling", self.name());
        }
        ensure!(
            self.poolings().contains(&pooling),
            "{} has no pooling `{pooling}`: choose --pooling {}",
            self.name(),
            names.join(" or ")
        );
        Ok(())
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

    /// Returns the numbers of channels of the maps that cells are embedded from: the fine map, and the coarse one.
    ///
    /// # Errors
    ///
    /// If it has no such maps; the error says what to do instead.
    pub fn cells(&self) -> anyhow::Result<[usize; 2]> {
        self.cells.with_context(|| {
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

impl LoadedBackbone {
    /// Returns its first stages, from which cells are embedded.
    ///
    /// # Errors
    ///
    /// If it has no maps of cells.
    pub fn cells(&self) -> anyhow::Result<&CellBackbone> {
        self.backbone.cells()?;
        self.cells.as_ref().context("the first stages are not loaded")
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::preprocessing::{Colour, Fit};

    use super::*;

    /// Describes a backbone with a map of 4 by 4 places, and a finer one of 8 by 8.
    pub(super) fn described() -> Backbone {
        Backbone {
            name: "made".to_owned(),
            digest: String::new(),
            output: Output::Maps(vec![
                Map { width: 4, fineness: 1, has_deviations: false },
                Map { width: 2, fineness: 2, has_deviations: true },
            ]),
            preprocessing: Preprocessing {
                height: 8,
                width: 8,
                colour: Colour::Rgb,
                fit: Fit::Stretch,
                scale: 1.0,
                mean: vec![0.0],
                std: vec![1.0],
            },
            cells: None,
            multiple: 1,
            has_open_sides: false,
            origin: serde_json::Value::Null,
            file: File::Lite0,
        }
    }

    #[test]
    fn the_usual_side_is_among_those_to_measure() {
        let mut backbone = described();
        assert!(backbone.sides().is_empty());
        backbone.has_open_sides = true;
        assert_eq!(backbone.sides(), [8, 160, 192, 224, 256]);
        backbone.preprocessing.width = 12;
        assert!(backbone.sides().is_empty());
    }
}
