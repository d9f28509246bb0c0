//! What a run learns from, and what it is measured on.

use super::cells::Cells;
use super::images::Images;
use crate::config::Data;
use crate::data::Gallery;
use crate::learn::{Examples, RunFolder, Tiles};

/// Both sides of a split.
pub(super) enum Sides {
    Images(Images),
    Cells(Cells),
}

impl Sides {
    pub(super) fn training(&self) -> Examples<'_> {
        match self {
            Self::Images(images) => Examples::Images(&images.training),
            Self::Cells(cells) => Examples::Cells(&cells.training),
        }
    }

    pub(super) fn held_out(&self) -> Option<Examples<'_>> {
        match self {
            Self::Images(images) => images.held_out.as_ref().map(Examples::Images),
            Self::Cells(cells) => cells.held_out.as_ref().map(Examples::Cells),
        }
    }

    pub(super) fn warnings(&self) -> &[String] {
        match self {
            Self::Images(images) => &images.warnings,
            Self::Cells(cells) => &cells.warnings,
        }
    }

    /// Describes the training side, for the record of the run.
    pub(super) fn data(&self, name: &str) -> Data {
        match self {
            Self::Images(images) => Data::of(name, &images.training),
            Self::Cells(cells) => cells.data(name),
        }
    }

    /// Returns the names of the held-out identities or components.
    pub(super) fn held_out_names(&self) -> Vec<String> {
        let names = match self {
            Self::Images(images) => images.held_out.as_ref().map(Gallery::identities),
            Self::Cells(cells) => cells.held_out.as_ref().map(Tiles::components),
        };
        names.map(<[String]>::to_vec).unwrap_or_default()
    }

    /// Writes the lists of the images of both sides into the run folder.
    pub(super) fn write_lists(&self, folder: &RunFolder) -> anyhow::Result<()> {
        let sides =
            [("training.sha256", Some(self.training())), ("held-out.sha256", self.held_out())];
        for (name, examples) in sides {
            match examples {
                Some(Examples::Images(gallery)) => {
                    let files = gallery.samples().iter().filter(|it| it.variant.is_none());
                    folder.write_list(name, files.map(|it| (&*it.name, &*it.digest)))?;
                }
                Some(Examples::Cells(tiles)) => folder.write_list(name, tiles.files())?,
                None => {}
            }
        }
        Ok(())
    }
}
