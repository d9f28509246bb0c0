//! Cuts turned rectangles out of a photograph, by bilinear interpolation.

use super::colour::Colour;
use super::photograph::{Photograph, Point, Square, float};
use super::similarity::Similarity;

impl Photograph {
    /// The image of a rectangle of `width` by `height` pixels that `placing` maps into the photograph.
    ///
    /// The area around it is resized so that its pixels are those of the rectangle, by the antialiased triangle filter.
    /// Then it is turned, by bilinear interpolation.
    pub(super) fn warped(
        &self,
        placing: &Similarity,
        [width, height]: [usize; 2],
        colour: Colour,
    ) -> Vec<u8> {
        let [columns, rows] = [width, height].map(float);
        let step = placing.scale().max(1.0);
        let centre = placing.apply([columns / 2.0, rows / 2.0]);
        // Bilinear interpolation reads a pixel beyond. At its own place, the rectangle keeps its pixels.
        let beyond = placing.reach([columns, rows]) / step - columns / 2.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let side = u32::try_from(width).unwrap_or(0) + 2 * (beyond.ceil() as u32 + 2);
        let half = f64::from(side) * step / 2.0;
        let square = self.upright_square(Square { centre, half, angle: 0.0 }, side, colour);
        let side = side as usize;
        let sources: Vec<&[u8]> = square.chunks_exact(side * side).collect();
        // Where the first pixel is in the square, and how far the next ones are from it.
        let place = |pixel: Point| {
            let [x, y] = placing.apply(pixel);
            [(x - centre[0] + half) / step - 0.5, (y - centre[1] + half) / step - 0.5]
        };
        let first = place([0.5, 0.5]);
        let [right, down] =
            [[1.5, 0.5], [0.5, 1.5]].map(|next| [0, 1].map(|axis| place(next)[axis] - first[axis]));
        let area = width * height;
        let mut planes = vec![0; sources.len() * area];
        for row in 0..height {
            let start = [0, 1].map(|axis| first[axis] + float(row) * down[axis]);
            for column in 0..width {
                let along = float(column);
                let x = start[0] + along * right[0];
                let y = start[1] + along * right[1];
                let between = Between::of([x, y], side);
                for (source, plane) in sources.iter().zip(planes.chunks_exact_mut(area)) {
                    plane[row * width + column] = between.value(source, side);
                }
            }
        }
        planes
    }
}

/// A place between four pixels of a square, for bilinear interpolation.
struct Between {
    /// The index of the first of the four, row by row.
    first: usize,
    /// How far the place is from the first column and row, in parts of a pixel: 0 to [`Self::PIXEL`].
    part: [u32; 2],
}

impl Between {
    /// The parts of a pixel.
    const PIXEL: u32 = 1 << 11;

    /// The first pixel's centre is `[0, 0]`. A place beyond the square is moved to its edge.
    #[inline]
    fn of([x, y]: Point, side: usize) -> Self {
        let last = float(side - 1);
        let split = |place: f64| {
            let place = place.clamp(0.0, last);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within a side"
            )]
            let pixel = (place as u32).min(u32::try_from(side).unwrap_or(0).saturating_sub(2));
            let part = (place - f64::from(pixel)) * f64::from(Self::PIXEL) + 0.5;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most a pixel"
            )]
            let part = part as u32;
            (pixel as usize, part)
        };
        let ((column, x), (row, y)) = (split(x), split(y));
        Self { first: row * side + column, part: [x, y] }
    }

    /// The value in a plane, rounded.
    #[inline]
    fn value(&self, plane: &[u8], side: usize) -> u8 {
        let [x, y] = self.part;
        let line = |first: usize| {
            let [left, right] = [plane[first], plane[first + 1]].map(u32::from);
            left * (Self::PIXEL - x) + right * x
        };
        let value = line(self.first) * (Self::PIXEL - y) + line(self.first + side) * y;
        let [.., byte] =
            ((value + Self::PIXEL * Self::PIXEL / 2) / (Self::PIXEL * Self::PIXEL)).to_be_bytes();
        byte
    }
}
