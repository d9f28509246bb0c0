//! Two photographs, ready for a model.

use super::alignment::{Align, Placement, align};
use super::compared::Compared;
use super::distances::Distances;
use super::grid::Grid;
use super::light::Light;
use super::mask::{Mask, Rectangle};
use super::not_compared::NotCompared;
use super::overlay::{Overlay, overlay};
use crate::preprocessing::{Photograph, Point};

/// Two photographs of one size, with the same light, ready for a model.
#[derive(Clone, Debug)]
pub struct Views {
    images: [Photograph; 2],
    /// How many pixels of the second image one of its photograph's is, along both sides.
    enlarged: Point,
    /// The size of the second image: columns and rows.
    size: [u32; 2],
    alignment: Placement,
    light: Light,
    mask: Mask,
}

/// What is not compared.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    /// In pixels of the second image.
    pub rectangles: Vec<Rectangle>,
    /// An image whose light pixels are not compared. It is stretched to the size of the second image.
    pub image: Option<Photograph>,
}

impl Views {
    /// Aligns two photographs, leaves out what is ignored, and evens out their light.
    ///
    /// # Errors
    ///
    /// If they can't be aligned.
    pub fn of(
        [before, after]: [Photograph; 2],
        how: Align,
        ignored: &Ignored,
    ) -> Result<Self, NotCompared> {
        let factors = [&before, &after].map(|image| image.enlarged([1.0; 2]));
        let alignment = align(&before, &after, how)
            .map_err(|err| NotCompared::NotAligned { confidence: err.confidence })?;
        let mut overlay = overlay(&before, &after, &alignment);
        let mut mask = Mask::none(after.size());
        mask.add_outside(&overlay.covered);
        for [left, top, width, height] in &ignored.rectangles {
            let [left, top] = after.reduced([*left, *top]);
            let [width, height] = after.reduced([*width, *height]);
            mask.add_rectangle([left, top, width, height]);
        }
        if let Some(image) = &ignored.image {
            mask.add_image(image);
        }
        mask.leave_out(&mut overlay);
        let light = overlay.even_out();
        let (images, alignment) = (overlay.photographs(), alignment.enlarged(factors));
        Ok(Self { images, enlarged: factors[1], size: after.full_size(), alignment, light, mask })
    }

    /// The first image on the pixels of the second, and the second image.
    pub fn images(&self) -> &[Photograph; 2] {
        &self.images
    }

    /// Distances of 0 for all cells. Add those of each tile, and then pass them to [`compared`](Self::compared).
    ///
    /// # Errors
    ///
    /// If no cell is left to compare.
    pub fn distances(&self, grid: &Grid) -> Result<Distances, NotCompared> {
        let is_compared = self.mask.compared(grid);
        if !is_compared.contains(&true) {
            return Err(NotCompared::Nothing);
        }
        Ok(Distances::new(grid, is_compared))
    }

    /// The images with the distances of all tiles.
    pub fn compared(self, distances: Distances) -> Compared {
        let Self { images, enlarged, size, alignment, light, mask: _ } = self;
        Compared { images, enlarged, size, alignment, light, distances: distances.finished() }
    }
}

impl Overlay {
    /// Both photographs. Where the earlier one does not reach, it has the pixels of the later one, so that a model sees no
    /// difference there.
    ///
    /// # Panics
    ///
    /// If the sides are longer than those of a photograph.
    pub fn photographs(self) -> [Photograph; 2] {
        let Self { size, mut before, after, covered, .. } = self;
        let area = covered.len();
        for (before, after) in before.chunks_exact_mut(area).zip(after.chunks_exact(area)) {
            let pixels = before.iter_mut().zip(after).zip(&covered);
            for ((before, after), _) in pixels.filter(|(_, is_covered)| !**is_covered) {
                *before = *after;
            }
        }
        let size = size
            .map(|side| u32::try_from(side).expect("a photograph has at most 2080 pixels a side"));
        [before, after].map(|planes| Photograph::of_planes(planes, size))
    }
}
