//! Two photographs on one grid of pixels.

use super::Placement;
use super::alignment::Transform;
use crate::preprocessing::{Colour, Photograph, Point};

/// Stretches up to this need no resize before: what they lose is less than what a resize blurs.
const HARMLESS: f64 = 1.1;

/// Two photographs on the grid of the later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Columns and rows: those of the photograph `after`. Both are at least 1.
    pub size: [usize; 2],
    /// 1 if both photographs are grey, else 3: red, green and blue.
    pub channels: usize,
    /// The earlier photograph, moved: planes `[channels, rows, columns]`, black where it does not reach.
    pub before: Vec<u8>,
    /// The later photograph: planes `[channels, rows, columns]`.
    pub after: Vec<u8>,
    /// Where the earlier photograph reaches: `[rows, columns]`.
    pub covered: Vec<bool>,
}

/// Moves `before` to where it lies in `after`.
///
/// A shift by whole pixels copies them. Otherwise they are interpolated by cubic curves, which keep edges sharp. If
/// `before` shrinks, it is resized first, by the antialiased triangle filter.
pub fn overlay(before: &Photograph, after: &Photograph, placement: &Placement) -> Overlay {
    let is_grey = before.is_grey() && after.is_grey();
    let (colour, channels) = if is_grey { (Colour::Grey, 1) } else { (Colour::Rgb, 3) };
    let size = after.size().map(|side| side as usize);
    let source = Source::new(before, Transform(placement.matrix), colour);
    let (before, covered) = source.moved(size);
    let after = after.planes(after.size(), colour);
    let [before, after] = [before, after].map(|planes| match planes.len() {
        length if length < channels * covered.len() => planes.repeat(3),
        _ => planes,
    });
    Overlay { size, channels, before, after, covered }
}

/// A photograph that is moved.
struct Source {
    /// Its planes, which are resized if it shrinks.
    planes: Vec<u8>,
    /// Columns and rows of the planes.
    size: [usize; 2],
    /// Maps places of the result to those of the planes.
    transform: Transform,
}

impl Source {
    fn new(photograph: &Photograph, transform: Transform, colour: Colour) -> Self {
        // By the smaller stretch: a resize by more would take detail that the result can show.
        let [_, stretch] = transform.stretches();
        let factor = if stretch.abs() <= HARMLESS { 1.0 } else { stretch.abs().recip() };
        let full = photograph.size();
        let size = full.map(|side| (f64::from(side) * factor).ceil().max(1.0) as u32);
        let scale = [0, 1].map(|axis| f64::from(size[axis]) / f64::from(full[axis]));
        Self {
            planes: photograph.planes(size, colour),
            size: size.map(|side| side as usize),
            transform: transform.scaled([1.0; 2], scale),
        }
    }

    /// Moved planes of this size, and where they are covered.
    fn moved(&self, [width, height]: [usize; 2]) -> (Vec<u8>, Vec<bool>) {
        let area = width * height;
        let sources: Vec<&[u8]> = self.planes.chunks_exact(self.size[0] * self.size[1]).collect();
        let mut planes = vec![0; sources.len() * area];
        let mut covered = vec![false; area];
        for row in 0..height {
            for column in 0..width {
                let centre = [column, row].map(|pixel| pixel as f64 + 0.5);
                let Some(near) = Near::of(self.transform.apply(centre), self.size) else {
                    continue;
                };
                let index = row * width + column;
                covered[index] = true;
                for (plane, source) in planes.chunks_exact_mut(area).zip(&sources) {
                    plane[index] = near.value(source);
                }
            }
        }
        (planes, covered)
    }
}

/// What is near a place in a plane.
enum Near {
    /// The place is the centre of the pixel with this index.
    Pixel(usize),
    /// It is between these columns and rows, which have these weights. Rows are indices of their first pixels.
    Between { columns: [(usize, f32); 4], rows: [(usize, f32); 4] },
}

impl Near {
    /// `None` if the place is beyond the plane.
    fn of(place: Point, [width, height]: [usize; 2]) -> Option<Self> {
        let [x, y] = place;
        if !(0.0 <= x && x <= width as f64 && 0.0 <= y && y <= height as f64) {
            return None;
        }
        let [(column, right), (row, below)] = place.map(|place| {
            let pixel = (place - 0.5).floor();
            (pixel as isize, (place - 0.5 - pixel) as f32)
        });
        if right == 0.0 && below == 0.0 {
            return Some(Self::Pixel(row as usize * width + column as usize));
        }
        let columns = weighted(column, right, width);
        let rows = weighted(row, below, height).map(|(row, weight)| (row * width, weight));
        Some(Self::Between { columns, rows })
    }

    fn value(&self, plane: &[u8]) -> u8 {
        match self {
            Self::Pixel(index) => plane[*index],
            Self::Between { columns, rows } => {
                let line = |row: usize| -> f32 {
                    columns
                        .iter()
                        .map(|(column, weight)| f32::from(plane[row + column]) * weight)
                        .sum()
                };
                let value: f32 = rows.iter().map(|(row, weight)| line(*row) * weight).sum();
                // A conversion saturates.
                (value + 0.5) as u8
            }
        }
    }
}

/// Four neighbours of a place that lies a part of a pixel after a pixel, with the weights of a cubic convolution
/// (R. Keys, 1981). Beyond the edges, the last pixel is repeated.
fn weighted(pixel: isize, part: f32, length: usize) -> [(usize, f32); 4] {
    let last = length as isize - 1;
    let weights = [
        ((2.0 - part) * part - 1.0) * part,
        (3.0 * part - 5.0) * part * part + 2.0,
        ((4.0 - 3.0 * part) * part + 1.0) * part,
        (part - 1.0) * part * part,
    ];
    let mut step = -1;
    weights.map(|weight| {
        let neighbour = (pixel + step).clamp(0, last) as usize;
        step += 1;
        (neighbour, weight / 2.0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::AlignmentKind;
    use super::*;
    use crate::preprocessing::{Detail, Limits};

    fn decode(upload: &[u8]) -> Photograph {
        Photograph::decode(upload, &Limits::default(), Detail::Fine).expect("a photograph")
    }

    fn placement(matrix: [[f64; 3]; 2]) -> Placement {
        Placement { kind: AlignmentKind::Affine, matrix, confidence: 1.0, overlap: 1.0 }
    }

    /// 3 columns and 2 rows.
    fn small() -> Photograph {
        decode(b"P5 3 2 255\n\x01\x02\x03\x04\x05\xff")
    }

    #[test]
    fn a_shift_by_whole_pixels_copies_them() {
        let all = overlay(&small(), &small(), &placement([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]]));
        assert_eq!((all.size, all.channels), ([3, 2], 1));
        assert_eq!(all.before, [0, 0, 0, 2, 3, 0]);
        assert_eq!(all.covered, [false, false, false, true, true, false]);
        assert_eq!(all.after, [1, 2, 3, 4, 5, 255]);
    }

    #[test]
    fn a_grey_photograph_beside_a_coloured_one_has_three_planes() {
        let coloured = decode(b"P6 2 1 255\n\x01\x02\x03\x04\x05\x06");
        let identity = placement([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        let all = overlay(&small(), &coloured, &identity);
        assert_eq!((all.size, all.channels), ([2, 1], 3));
        assert_eq!(all.before, [1, 2, 1, 2, 1, 2]);
        assert_eq!(all.after, [1, 4, 2, 5, 3, 6]);
        let all = overlay(&coloured, &small(), &identity);
        assert_eq!(all.before, [1, 4, 0, 0, 0, 0, 2, 5, 0, 0, 0, 0, 3, 6, 0, 0, 0, 0]);
        assert_eq!(all.after, [1, 2, 3, 4, 5, 255].repeat(3));
    }

    #[test]
    fn between_pixels_a_slope_stays_a_slope() {
        let bytes: Vec<u8> = (0..60).map(|index| 10 * (index % 10) + 3 * (index / 10)).collect();
        let slope = decode(&[b"P5 10 6 255\n", bytes.as_slice()].concat());
        let turned = [[0.8, 0.1, 1.5], [-0.1, 0.9, 1.3]];
        let all = overlay(&slope, &slope, &placement(turned));
        for row in 0..6 {
            for column in 0..10 {
                let [x, y] = Transform(turned).apply([column, row].map(|pixel| pixel as f64 + 0.5));
                let index = row * 10 + column;
                if all.covered[index] && 1.5 < x && x < 8.5 && 1.5 < y && y < 4.5 {
                    let expected = 10.0 * (x - 0.5) + 3.0 * (y - 0.5);
                    assert!(
                        (f64::from(all.before[index]) - expected).abs() < 0.51,
                        "{column} {row}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_shrinks_is_antialiased() {
        // Lines of one pixel are grey at half of the size.
        let bytes: Vec<u8> = (0..400).map(|index| if index % 2 == 0 { 0 } else { 200 }).collect();
        let lines = decode(&[b"P5 20 20 255\n", bytes.as_slice()].concat());
        let all = overlay(&lines, &small(), &placement([[2.0, 0.0, 6.0], [0.0, 2.0, 6.0]]));
        assert!(all.before.iter().all(|byte| (95..=105).contains(byte)), "{:?}", all.before);
    }

    #[test]
    fn a_place_far_away_covers_nothing() {
        for matrix in [
            [[1.0, 0.0, 1e300], [0.0, 1.0, 0.0]],
            [[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]],
            [[f64::NAN; 3]; 2],
        ] {
            let all = overlay(&small(), &small(), &placement(matrix));
            assert!(!all.covered.contains(&true));
            assert_eq!(all.before, [0; 6]);
        }
    }
}
