//! The pixels of an image that are not compared.

use super::grid::Grid;
use super::overlay::Overlay;
use crate::preprocessing::{Colour, Photograph};

/// The pixels of an image that are not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Columns and rows.
    size: [usize; 2],
    /// Row by row.
    is_masked: Vec<bool>,
}

/// A rectangle: left, top, width, height, in pixels.
pub type Rectangle = [f64; 4];

impl Mask {
    /// Masks no pixel of an image of `size` (columns and rows).
    pub fn none(size: [u32; 2]) -> Self {
        let size = size.map(|side| side as usize);
        Self { size, is_masked: vec![false; size[0] * size[1]] }
    }

    /// Masks each pixel for which this is false, row by row.
    ///
    /// # Panics
    ///
    /// If the number of pixels does not match.
    pub fn add_outside(&mut self, is_inside: &[bool]) {
        assert_eq!(is_inside.len(), self.is_masked.len(), "a value for each pixel");
        for (is_masked, is_inside) in self.is_masked.iter_mut().zip(is_inside) {
            *is_masked |= !is_inside;
        }
    }

    /// Masks each pixel that a rectangle touches.
    pub fn add_rectangle(&mut self, [left, top, width, height]: Rectangle) {
        let [columns, rows] = [(left, width, 0), (top, height, 1)].map(|(start, length, axis)| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let pixel = |place: f64| (place.max(0.0) as usize).min(self.size[axis]);
            let first = pixel(start.floor());
            first..pixel((start + length).ceil()).max(first)
        });
        for row in rows {
            self.is_masked[row * self.size[0]..][columns.clone()].fill(true);
        }
    }

    /// Masks the light pixels of an image, which is stretched to the size of this one.
    pub fn add_image(&mut self, image: &Photograph) {
        let light = light_pixels(image, self.size);
        for (is_masked, is_light) in self.is_masked.iter_mut().zip(light) {
            *is_masked |= is_light;
        }
    }

    /// Leaves its pixels out of an overlay.
    ///
    /// # Panics
    ///
    /// If the number of pixels does not match.
    pub fn leave_out(&self, overlay: &mut Overlay) {
        assert_eq!(self.is_masked.len(), overlay.covered.len(), "a value for each pixel");
        for (is_covered, is_masked) in overlay.covered.iter_mut().zip(&self.is_masked) {
            *is_covered &= !is_masked;
        }
    }

    /// For each cell, row by row, whether it has a pixel that is compared.
    pub fn compared(&self, grid: &Grid) -> Vec<bool> {
        let layout = grid.layout();
        let [width, height] = self.size;
        let columns: Vec<_> =
            (0..layout.columns).map(|column| layout.pixels(column, width)).collect();
        let mut compared = Vec::with_capacity(layout.rows * layout.columns);
        for row in 0..layout.rows {
            let rows = layout.pixels(row, height);
            compared.extend(columns.iter().map(|columns| {
                rows.clone()
                    .any(|row| self.is_masked[row * width..][columns.clone()].contains(&false))
            }));
        }
        compared
    }
}

/// For each pixel of an image of `size` (columns and rows), row by row, whether `image` is light there. The image is
/// stretched to this size.
pub fn light_pixels(image: &Photograph, size: [usize; 2]) -> Vec<bool> {
    const LIGHT: u8 = 128;
    let [width, height] = size;
    let [columns, rows] = image.size().map(|side| side as usize);
    let grey = image.planes(image.size(), Colour::Grey);
    let mut light = Vec::with_capacity(width * height);
    for row in 0..height {
        let line = &grey[row * rows / height * columns..][..columns];
        light.extend((0..width).map(|column| LIGHT <= line[column * columns / width]));
    }
    light
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Detail, Fit, Limits, Preprocessing};

    fn grid(size: [u32; 2]) -> Grid {
        let preprocessing = Preprocessing {
            height: 4,
            width: 4,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        Grid::new(size, 2.0, [2, 2], &preprocessing)
    }

    fn image(text: &[u8]) -> Photograph {
        Photograph::decode(text, &Limits::default(), Detail::Full).expect("an image")
    }

    #[test]
    fn a_cell_is_compared_unless_all_of_it_is_masked() {
        let mut mask = Mask::none([5, 2]);
        assert_eq!(mask.compared(&grid([5, 2])), [true; 3]);
        // It touches the first three columns.
        mask.add_rectangle([-1.0, -9.0, 3.1, 99.0]);
        assert_eq!(mask.compared(&grid([5, 2])), [false, true, true]);
        mask.add_rectangle([4.5, 0.0, f64::INFINITY, 2.0]);
        assert_eq!(mask.compared(&grid([5, 2])), [false, true, false]);
        mask.add_rectangle([1.0, 1.0, f64::NAN, 1.0]);
        assert_eq!(mask.compared(&grid([5, 2])), [false, true, false]);
    }

    #[test]
    fn light_pixels_of_an_image_of_any_size_are_masked() {
        let mut mask = Mask::none([4, 2]);
        mask.add_image(&image(b"P5 2 1 255\n\xff\x7f"));
        assert_eq!(mask.compared(&grid([4, 2])), [false, true]);
    }

    #[test]
    fn pixels_that_are_left_out_are_those_of_the_second_image() {
        let planes = |before: &[u8], after: &[u8], channels| Overlay {
            size: [2, 1],
            channels,
            before: before.to_vec(),
            after: after.to_vec(),
            covered: vec![true; 2],
        };
        let mut mask = Mask::none([2, 1]);
        mask.add_rectangle([1.0, 0.0, 1.0, 1.0]);
        let mut grey = planes(&[1, 2], &[8, 9], 1);
        mask.leave_out(&mut grey);
        assert_eq!(grey.photographs().map(|image| image.bytes().to_vec()), [[1, 9], [8, 9]]);
        let mut colours = planes(&[1, 2, 3, 4, 5, 6], &[7, 8, 9, 10, 11, 12], 3);
        mask.leave_out(&mut colours);
        let [before, _] = colours.photographs();
        assert_eq!(before.bytes(), [1, 3, 5, 8, 10, 12]);
    }
}
