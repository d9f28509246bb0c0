//! What a network learns from, or is measured on.

use super::Tiles;
use crate::data::Gallery;

/// What a network learns from, or is measured on.
#[derive(Clone, Copy, Debug)]
pub enum Examples<'a> {
    /// Images of identities, or of listed pairs.
    Images(&'a Gallery),
    /// The cells of pairs.
    Cells(&'a Tiles),
}

impl<'a> Examples<'a> {
    /// Returns the images, if these are images.
    pub fn images(&self) -> Option<&'a Gallery> {
        match self {
            Self::Images(gallery) => Some(gallery),
            Self::Cells(_) => None,
        }
    }

    /// Returns the number of images, or of pairs with cells. An epoch draws as many.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(gallery) => gallery.samples().len(),
            Self::Cells(tiles) => tiles.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a Gallery> for Examples<'a> {
    fn from(gallery: &'a Gallery) -> Self {
        Self::Images(gallery)
    }
}

impl<'a> From<&'a Tiles> for Examples<'a> {
    fn from(tiles: &'a Tiles) -> Self {
        Self::Cells(tiles)
    }
}
