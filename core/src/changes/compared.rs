//! Two images with the distances of their cells.

use super::alignment::Placement;
use super::distances::{Distances, Layout};
use super::light::Light;
use super::regions::Region;
use crate::preprocessing::{Photograph, Point};
use crate::score::Threshold;

/// Two images of one size, and what differs between them.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The first image on the pixels of the second, and the second image.
    pub(super) images: [Photograph; 2],
    /// How many pixels of the second image one of its photograph's is, along both sides.
    pub(super) enlarged: Point,
    /// The sizes of both images: columns and rows.
    pub sizes: [[u32; 2]; 2],
    /// How the first image was brought onto the second, in pixels of both.
    pub alignment: Placement,
    /// How the light of the first image was changed to that of the second.
    pub light: Light,
    /// The distances of the cells.
    pub distances: Distances,
}

impl Compared {
    /// The regions whose cells are farther apart than a threshold, in pixels of the second image, the most different first.
    pub fn regions(&self, threshold: Threshold) -> Vec<Region> {
        let regions = self.distances.regions(threshold, self.images.each_ref()).into_iter();
        regions.map(|region| region.enlarged(self.enlarged)).collect()
    }

    /// The form of the map, in pixels of the second image.
    pub fn layout(&self) -> Layout {
        let layout = self.distances.layout();
        Layout { cell: layout.cell * self.enlarged[0], ..layout }
    }

    /// A PNG of the second image with the distances as colours, at most 2,080 pixels a side.
    pub fn heat_map(&self, threshold: Threshold) -> Vec<u8> {
        let regions = self.distances.regions(threshold, self.images.each_ref());
        self.distances.heat_map(&self.images[1], threshold, &regions)
    }

    /// A PNG that is white where cells are changed, at most 2,080 pixels a side.
    pub fn mask(&self, threshold: Threshold) -> Vec<u8> {
        self.distances.mask(&self.images[1], threshold)
    }

    /// The first image on the pixels of the second, and the second image: the photographs that the cells belong to.
    pub fn images(&self) -> &[Photograph; 2] {
        &self.images
    }
}
