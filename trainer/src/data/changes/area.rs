//! Where a pair has changed, in pixels of the photograph of its second image.

use siamese_core::changes::light_pixels;
use siamese_core::preprocessing::Photograph;

use crate::data::{ChangedArea, Corners};

/// Where a pair has changed, in pixels of the photograph of its second image.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Area {
    /// In these boxes; none if the pair is unchanged.
    Boxes(Vec<Corners>),
    /// For each pixel, row by row, whether it has changed.
    Pixels(Vec<bool>),
}

impl Area {
    /// Takes the area of a list. `mask` is its mask, if it has one.
    pub(super) fn of(listed: &ChangedArea, mask: Option<&Photograph>, after: &Photograph) -> Self {
        if let Some(mask) = mask {
            return Self::Pixels(light_pixels(mask, after.size().map(|side| side as usize)));
        }
        let ChangedArea::Boxes(boxes) = listed else { return Self::Boxes(Vec::new()) };
        let reduced = |[left, top, right, bottom]: &Corners| {
            let [left, top] = after.reduced([*left, *top]);
            let [right, bottom] = after.reduced([*right, *bottom]);
            [left, top, right, bottom]
        };
        Self::Boxes(boxes.iter().map(reduced).collect())
    }

    /// Whether each box has pixels of an image of `size` (columns and rows).
    pub(super) fn touches(&self, size: [u32; 2]) -> bool {
        let Self::Boxes(boxes) = self else { return true };
        let [width, height] = size.map(f64::from);
        boxes.iter().all(|[left, top, right, bottom]| {
            *left < width && *top < height && 0.0 < *right && 0.0 < *bottom
        })
    }

    /// Cuts `margin` pixels off each side of an image of `size` (columns and rows) before the cut.
    ///
    /// # Panics
    ///
    /// If nothing is left of the image.
    pub(super) fn cut(self, margin: u32, size: [u32; 2]) -> Self {
        match self {
            Self::Boxes(boxes) => {
                let [width, height] = size.map(|side| f64::from(side - 2 * margin));
                let margin = f64::from(margin);
                let moved = boxes.into_iter().map(|[left, top, right, bottom]| {
                    let [left, right] = [left, right].map(|x| (x - margin).clamp(0.0, width));
                    let [top, bottom] = [top, bottom].map(|y| (y - margin).clamp(0.0, height));
                    [left, top, right, bottom]
                });
                let is_left = |[left, top, right, bottom]: &Corners| left < right && top < bottom;
                Self::Boxes(moved.filter(is_left).collect())
            }
            Self::Pixels(pixels) => {
                let ([width, height], margin) = (size.map(|side| side as usize), margin as usize);
                let lines = pixels.chunks_exact(width).take(height - margin).skip(margin);
                let inner = lines.flat_map(|line| &line[margin..width - margin]);
                Self::Pixels(inner.copied().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_moves_boxes_and_pixels_by_its_margin() {
        let boxes = vec![[0.0, 0.0, 1.0, 9.0], [1.0, 3.0, 5.0, 9.0]];
        assert_eq!(Area::Boxes(boxes).cut(2, [7, 8]), Area::Boxes(vec![[0.0, 1.0, 3.0, 4.0]]));
        let pixels = (0..20).map(|pixel| pixel == 6 || pixel == 13).collect();
        let inner = vec![true, false, false, false, false, true];
        assert_eq!(Area::Pixels(pixels).cut(1, [5, 4]), Area::Pixels(inner));
    }

    #[test]
    fn a_box_beyond_the_image_is_noticed() {
        let touches = |corners| Area::Boxes(vec![[0.0, 0.0, 9.0, 9.0], corners]).touches([20, 10]);
        assert!(touches([19.0, 9.0, 90.0, 90.0]));
        assert!(!touches([20.0, 0.0, 30.0, 9.0]));
        assert!(!touches([-9.0, 0.0, 0.0, 9.0]));
    }

    #[test]
    fn boxes_are_reduced_with_the_photograph() {
        let after = Photograph::of_planes(vec![0; 8], [4, 2]);
        let listed = ChangedArea::Boxes(vec![[1.0, 0.0, 4.0, 1.0]]);
        let expected = Area::Boxes(vec![[1.0, 0.0, 4.0, 1.0]]);
        assert_eq!(Area::of(&listed, None, &after), expected);
        let mask = Photograph::of_planes(vec![255, 0], [2, 1]);
        let left = [true, true, false, false];
        let expected = Area::Pixels([left, left].concat());
        assert_eq!(Area::of(&ChangedArea::Nowhere, Some(&mask), &after), expected);
    }
}
