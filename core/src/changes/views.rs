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

/// The least share of the second image that the first covers.
const LEAST_OVERLAP: f64 = 0.1;

/// Two photographs of one size, with the same light, ready for a model.
#[derive(Clone, Debug)]
pub struct Views {
    images: [Photograph; 2],
    /// How many pixels of the second image one of its photograph's is, along both sides.
    enlarged: Point,
    /// The sizes of both images: columns and rows.
    sizes: [[u32; 2]; 2],
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
    /// If they can't be aligned, hardly overlap, or differ in size although no alignment is wanted.
    pub fn of(
        [before, after]: [Photograph; 2],
        how: Align,
        ignored: &Ignored,
    ) -> Result<Self, NotCompared> {
        let [full_before, full_after] = [&before, &after].map(Photograph::full_size);
        if how == Align::None && full_before != full_after {
            return Err(NotCompared::SizesDiffer { before: full_before, after: full_after });
        }
        let factors = [&before, &after].map(|image| image.enlarged([1.0; 2]));
        let alignment = align(&before, &after, how)
            .map_err(|err| NotCompared::NotAligned { confidence: err.confidence })?;
        if alignment.overlap < LEAST_OVERLAP {
            return Err(NotCompared::Nothing);
        }
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
        let sizes = [full_before, full_after];
        Ok(Self { images, enlarged: factors[1], sizes, alignment, light, mask })
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
        let Self { images, enlarged, sizes, alignment, light, mask: _ } = self;
        let distances = distances.finished();
        Compared { images, enlarged, sizes, alignment, light, distances }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Colour, Detail, Fit, Limits, Preprocessing};

    /// A photograph of some size, as random as images are: noise, stripes or one colour, with a few spots.
    fn photograph(random: &mut fastrand::Rng) -> Photograph {
        let sides = [1, 2, 15, 16, 17, 40, 90];
        let [width, height] = [(); 2].map(|()| sides[random.usize(..sides.len())]);
        let is_grey = random.bool();
        let (kind, contrast) = (random.u8(..3), random.u8(1..));
        let mut pixels: Vec<u8> = (0..width * height)
            .map(|index| match kind {
                0 => random.u8(..contrast),
                1 => {
                    if index % width % 8 < 4 {
                        0
                    } else {
                        contrast
                    }
                }
                _ => contrast,
            })
            .collect();
        for _ in 0..random.usize(..4) {
            let index = random.usize(..pixels.len());
            pixels[index] = random.u8(..);
        }
        let kind = if is_grey { "P5" } else { "P6" };
        let bytes = pixels.into_iter().flat_map(|pixel| {
            let count = if is_grey { 1 } else { 3 };
            [pixel, pixel / 2, 255 - pixel].into_iter().take(count)
        });
        let head = format!("{kind} {width} {height} 255\n");
        let upload: Vec<u8> = head.into_bytes().into_iter().chain(bytes).collect();
        Photograph::decode(&upload, &Limits::default(), Detail::Full).expect("a photograph")
    }

    #[test]
    fn any_two_photographs_are_compared_or_refused_with_a_reason() {
        let preprocessing = Preprocessing {
            height: 16,
            width: 16,
            colour: Colour::Rgb,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let mut random = fastrand::Rng::with_seed(7);
        let mut compared = 0;
        for _ in 0..600 {
            let pair = [photograph(&mut random), photograph(&mut random)];
            let size = pair[1].size();
            let how = [Align::Auto, Align::None, Align::Shift, Align::Affine][random.usize(..4)];
            let number = |random: &mut fastrand::Rng| 200.0 * random.f64() - 50.0;
            let rectangles = vec![[(); 4].map(|()| number(&mut random))];
            let image = random.bool().then(|| photograph(&mut random));
            let Ok(views) = Views::of(pair, how, &Ignored { rectangles, image }) else {
                continue;
            };
            assert!(views.images().iter().all(|image| image.size() == size));
            let Placement { confidence, overlap, matrix, .. } = views.alignment;
            assert!((0.0..=1.0).contains(&confidence) && (0.0..=1.0).contains(&overlap));
            assert!(matrix.as_flattened().iter().all(|number| number.is_finite()));
            let grid = Grid::new(size, 4.0, [4, 4], &preprocessing);
            let Ok(distances) = views.distances(&grid) else { continue };
            let tiles = 0..grid.tiles();
            let pixels = tiles.map(|tile| grid.pixels(&views.images()[0], tile, &preprocessing));
            assert!(pixels.into_iter().all(|pixels| pixels.values().len() == 3 * 16 * 16));
            assert!(views.compared(distances).distances.values().iter().all(|value| *value == 0.0));
            compared += 1;
        }
        assert!(50 < compared, "{compared}");
    }
}
