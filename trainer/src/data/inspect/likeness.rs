//! Search for near copies of images.
//!
//! An image is reduced to 16 x 16 cells, and the differences of neighbouring cells are compared. They do not change when
//! an image is resized, saved again or brightened. They do change in a second photograph of the same object.

use rayon::prelude::*;
use siamese_core::preprocessing::Pixels;

use crate::data::vary::grid::single;

/// The number of cells per side.
const SIDE: usize = 16;
/// The number of cells per side of the first, coarse comparison, which takes a seventh of the time.
const COARSE: usize = 8;
/// The smallest correlation of the coarse cells of two copies.
const COARSE_LIKENESS: f32 = 0.95;
/// The smallest correlation of the cell differences of two near copies.
///
/// An image saved again as JPEG of quality 60 has at least 0.998. The largest values of images that are not copies are
/// 0.78 for faces of 40 different people, 0.976 for faces of one person, and 0.943 for handwritten characters, which have
/// few and thin strokes.
const LIKENESS: f32 = 0.985;
/// The largest number of copies that are listed for one image.
const LISTED: usize = 8;
/// The smallest standard deviation of an image that is not flat; black to white is 1.
const FLAT: f32 = 0.01;
/// The largest difference of two pixels of one shade; black to white is 1.
const SHADE: f32 = 0.1;
/// At most one in this number of pixels is at a border or has a third shade in an image that is almost blank.
const BLANK: usize = 10;

/// The features of an image that are compared, as vectors of unit length.
pub(super) struct Likeness {
    coarse: Vec<f32>,
    fine: Vec<f32>,
}

impl Likeness {
    /// Computes the features of an image of shape `[channels, height, width]` with values from 0 to 1; `None` if it is
    /// flat.
    pub(super) fn of(pixels: &Pixels, shape: [usize; 3]) -> Option<Self> {
        let cells = cells(pixels.values(), shape, SIDE);
        let at = |row: usize, column: usize| cells[row * SIDE + column];
        let mut fine = Vec::with_capacity(2 * SIDE * (SIDE - 1));
        for row in 0..SIDE {
            fine.extend((1..SIDE).map(|column| at(row, column) - at(row, column - 1)));
        }
        for row in 1..SIDE {
            fine.extend((0..SIDE).map(|column| at(row, column) - at(row - 1, column)));
        }
        let mut coarse = self::cells(pixels.values(), shape, COARSE);
        let mean = coarse.iter().sum::<f32>() / single(coarse.len());
        for cell in &mut coarse {
            *cell -= mean;
        }
        if is_flat(pixels) || !to_unit(&mut coarse) || !to_unit(&mut fine) {
            return None;
        }
        Some(Self { coarse, fine })
    }

    fn is_near(&self, other: &Self) -> bool {
        COARSE_LIKENESS <= dot(&self.coarse, &other.coarse)
            && LIKENESS <= dot(&self.fine, &other.fine)
    }
}

/// Returns whether an image is one uniform shade.
pub(super) fn is_flat(pixels: &Pixels) -> bool {
    let values = pixels.values();
    let mean = values.iter().sum::<f32>() / single(values.len());
    let squares = values.iter().map(|it| (it - mean).powi(2)).sum::<f32>();
    squares / single(values.len()) < FLAT * FLAT
}

/// Returns whether an image shows almost nothing: one shade, or two with a simple border, but for a few pixels. Such tiles of
/// large images are often equal without being copies.
pub(super) fn is_almost_blank(pixels: &Pixels, [_, height, width]: [usize; 3]) -> bool {
    pixels.values().chunks_exact(height * width).all(|channel| {
        let usual = main_shade(channel.to_vec()).unwrap_or_default();
        let is_other = |value: &f32| SHADE < (value - usual).abs();
        let other = main_shade(channel.iter().copied().filter(is_other).collect()).unwrap_or(usual);
        let is_busy = |at: usize| {
            let value = channel[at];
            let differs = |neighbour: usize| SHADE < (value - channel[neighbour]).abs();
            (is_other(&value) && SHADE < (value - other).abs())
                || (!at.is_multiple_of(width) && differs(at - 1))
                || (width <= at && differs(at - width))
        };
        let busy = (0..channel.len()).filter(|at| is_busy(*at)).count();
        busy * BLANK <= channel.len()
    })
}

/// Returns the quartile that most values are near to; a single quartile may lie on the border between two shades.
fn main_shade(mut values: Vec<f32>) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    let near = |shade: f32| values.iter().filter(|value| (*value - shade).abs() <= SHADE).count();
    let quartiles = (1..=3).filter_map(|quarter| values.get(quarter * values.len() / 4).copied());
    quartiles.max_by_key(|shade| near(*shade))
}

/// Returns all near copies among the pairs for which `matters` is true, in order; for each image only the first few.
pub(super) fn near_copies(
    images: &[Option<Likeness>],
    matters: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<[usize; 2]> {
    let matters = &matters;
    (0..images.len())
        .into_par_iter()
        .flat_map_iter(|image| {
            let end = if images[image].is_some() { images.len() } else { image + 1 };
            (image + 1..end)
                .filter(move |other| match (&images[image], &images[*other]) {
                    (Some(one), Some(another)) => matters(image, *other) && one.is_near(another),
                    _ => false,
                })
                .take(LISTED)
                .map(move |other| [image, other])
        })
        .collect()
}

/// Returns the means of cells over all channels.
fn cells(values: &[f32], [channels, height, width]: [usize; 3], side: usize) -> Vec<f32> {
    let edge = |cell: usize, length: usize| (cell * length / side).min(length - 1);
    let range = |cell: usize, length: usize| {
        edge(cell, length)..((cell + 1) * length / side).max(edge(cell, length) + 1)
    };
    let mut cells = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let (rows, columns) = (range(row, height), range(column, width));
            let mut sum = 0.0;
            for channel in 0..channels {
                for row in rows.clone() {
                    let line = (channel * height + row) * width;
                    sum += values[line + columns.start..line + columns.end].iter().sum::<f32>();
                }
            }
            cells.push(sum / single(channels * rows.len() * columns.len()));
        }
    }
    cells
}

/// Scales a vector to length 1; returns whether it has a length.
fn to_unit(vector: &mut [f32]) -> bool {
    let length = dot(vector, vector).sqrt();
    for value in vector.iter_mut() {
        *value /= length;
    }
    1e-6 < length
}

/// Returns the dot product. Several partial sums allow the processor to use vector instructions.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (left, right) in left.chunks_exact(LANES).zip(right.chunks_exact(LANES)) {
        for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += left * right;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [1, 32, 32];

    /// Makes an image of waves with brightness `light` and noise of strength `grain`.
    fn image(kind: u16, light: f32, grain: f32) -> Option<Likeness> {
        let value = |at: u16| {
            let (row, column) = (f32::from(at / 32), f32::from(at % 32));
            let wave =
                (0.2 * row * f32::from(kind % 5 + 1) + 0.31 * column * f32::from(kind % 3)).sin();
            let noise = f32::from(at.wrapping_mul(40_503) >> 8) / 256.0 - 0.5;
            light * (0.5 + 0.4 * wave) + grain * noise
        };
        Likeness::of(&Pixels::new((0..1024).map(value).collect()), SHAPE)
    }

    #[test]
    fn other_brightness_and_some_noise_still_make_a_near_copy() {
        let images = [image(1, 1.0, 0.0), image(1, 0.6, 0.02), image(2, 1.0, 0.0)];
        assert_eq!(near_copies(&images, |_, _| true), [[0, 1]]);
        assert_eq!(near_copies(&images, |_, other| other != 1), [] as [[usize; 2]; 0]);
    }

    #[test]
    fn flat_images_are_not_copies() {
        assert!(image(1, 0.0, 0.0).is_none() && image(1, 0.01, 0.0).is_none());
        let images = [image(1, 0.0, 0.0), image(1, 0.0, 0.0)];
        assert!(near_copies(&images, |_, _| true).is_empty());
    }

    #[test]
    fn one_shade_or_two_with_a_simple_border_are_almost_blank() {
        let drawn = |value: fn(usize, usize) -> f32| {
            let values = (0..1024).map(|at| value(at / 32, at % 32)).collect();
            is_almost_blank(&Pixels::new(values), SHAPE)
        };
        assert!(drawn(|_, _| 0.3));
        assert!(drawn(|row, column| if row == 4 && column < 9 { 1.0 } else { 0.3 }));
        assert!(drawn(|row, _| if row < 20 { 0.9 } else { 0.1 }));
        // The median is on the border.
        assert!(drawn(|row, _| [0.9, 0.5, 0.1][usize::from(15 < row) + usize::from(16 < row)]));
        assert!(!drawn(|row, column| if (row / 4 + column / 4) % 2 == 0 { 0.9 } else { 0.1 }));
        // A photograph has many shades, even where it is smooth.
        assert!(!drawn(|row, column| f32::from(u8::try_from(row + column).expect("small")) / 62.0));
        // A uniform colour has another value in each channel.
        let colour = Pixels::new([[0.1; 4], [0.5; 4], [0.9; 4]].concat());
        assert!(is_almost_blank(&colour, [3, 2, 2]));
    }

    #[test]
    fn an_image_smaller_than_the_cells_works_too() {
        let values = (0..12).map(|value: u8| f32::from(value % 5) / 5.0).collect();
        assert!(Likeness::of(&Pixels::new(values), [3, 2, 2]).is_some());
    }
}
