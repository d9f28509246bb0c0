//! A rectangle of an image.

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::Point;
use super::fit::Size;

/// A rectangle of an image, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Columns from the left.
    pub left: u32,
    /// Rows from the top.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Area {
    /// The square around a point, with this half of its side.
    pub fn around([x, y]: Point, half: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let pixel = |place: f64| place as u32;
        let [left, top] = [x, y].map(|place| pixel(place - half));
        let [right, bottom] = [x, y].map(|place| pixel((place + half).ceil()));
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// All of an image.
    pub(super) fn whole(Size { width, height }: Size) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    /// Columns and rows.
    pub(super) fn size(self) -> Size {
        Size { width: self.width, height: self.height }
    }

    /// Grows to whole blocks of `block` pixels, within an image. Without a pixel of the image, it is all of it.
    pub(super) fn in_blocks(self, block: u32, image: Size) -> Self {
        let side = |start: u32, length: u32, most: u32| {
            let first = start / block * block;
            let end = start.saturating_add(length).min(most).next_multiple_of(block).min(most);
            (first < end).then(|| [first, end - first])
        };
        let columns = side(self.left, self.width, image.width);
        let rows = side(self.top, self.height, image.height);
        match (columns, rows) {
            (Some([left, width]), Some([top, height])) => Self { left, top, width, height },
            _ => Self::whole(image),
        }
    }

    /// Where the area is after an image of this size is turned.
    pub(super) fn turned(self, image: Size, orientation: Orientation) -> Self {
        let mut area = self.within(image);
        let (mirrors_columns, mirrors_rows, is_exchanged) = match orientation {
            Orientation::NoTransforms => (false, false, false),
            Orientation::FlipHorizontal => (true, false, false),
            Orientation::FlipVertical => (false, true, false),
            Orientation::Rotate180 => (true, true, false),
            Orientation::Rotate90 => (false, true, true),
            Orientation::Rotate270 => (true, false, true),
            Orientation::Rotate90FlipH => (false, false, true),
            Orientation::Rotate270FlipH => (true, true, true),
        };
        if mirrors_columns {
            area.left = image.width - area.left - area.width;
        }
        if mirrors_rows {
            area.top = image.height - area.top - area.height;
        }
        if is_exchanged {
            let Self { left, top, width, height } = area;
            area = Self { left: top, top: left, width: height, height: width };
        }
        area
    }

    /// The part within an image.
    fn within(self, image: Size) -> Self {
        let left = self.left.min(image.width);
        let top = self.top.min(image.height);
        let width = self.width.min(image.width - left);
        let height = self.height.min(image.height - top);
        Self { left, top, width, height }
    }
}

/// The orientation that turns an upright image back.
pub(super) fn inverse(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Orientation; 8] = [
        Orientation::NoTransforms,
        Orientation::FlipHorizontal,
        Orientation::FlipVertical,
        Orientation::Rotate180,
        Orientation::Rotate90,
        Orientation::Rotate270,
        Orientation::Rotate90FlipH,
        Orientation::Rotate270FlipH,
    ];

    #[test]
    fn an_area_turns_with_its_image_and_back() {
        let size = Size { width: 7, height: 5 };
        let area = Area { left: 1, top: 2, width: 3, height: 2 };
        for orientation in ALL {
            let mut image = image::DynamicImage::new_luma8(7, 5);
            let inside = |column, row| (1..4).contains(&column) && (2..4).contains(&row);
            for (column, row, pixel) in image.as_mut_luma8().expect("grey").enumerate_pixels_mut() {
                pixel.0 = [u8::from(inside(column, row))];
            }
            image.apply_orientation(orientation);
            let turned = area.turned(size, orientation);
            let part = image.crop_imm(turned.left, turned.top, turned.width, turned.height);
            assert!(part.as_bytes().iter().all(|byte| *byte == 1), "{orientation:?}");
            assert_eq!(turned.turned(size.upright(orientation), inverse(orientation)), area);
        }
    }

    #[test]
    fn an_area_grows_to_blocks_within_its_image() {
        let image = Size { width: 100, height: 50 };
        let area = |left, top, width, height| Area { left, top, width, height };
        assert_eq!(area(17, 3, 4, 40).in_blocks(16, image), area(16, 0, 16, 48));
        assert_eq!(area(90, 47, 400, u32::MAX).in_blocks(16, image), area(80, 32, 20, 18));
        assert_eq!(area(200, 0, 4, 4).in_blocks(16, image), Area::whole(image));
        assert_eq!(Area::around([1.5, -2.0], 3.0), area(0, 0, 5, 1));
    }
}
