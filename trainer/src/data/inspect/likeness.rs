//! Images that are nearly copies of each other.
//!
//! An image is looked at in 16 x 16 cells, by how they differ from their neighbours: that stays as it is when a
//! image is resized, saved again or lit otherwise, and changes with all that a second photograph
//! changes.

use rayon::prelude::*;
use siamese_core::preprocessing::Pixels;

use crate::data::vary::grid::single;

/// Cells a side of what is compared.
const SIDE: usize = 16;
/// Cells a side of what is looked at first, as it takes a seventh of the time.
const COARSE: usize = 8;
/// Two images less correlated than this in the coarse cells are no copies.
const COARSE_LIKENESS: f32 = 0.95;
/// Two images at least this correlated in the differences of cells are nearly copies. Saved again as
/// JPEG of quality 60 they are at 0.998 and above. The likest of 40 people's faces are at 0.78, of one person's
/// at 0.976, and of handwritten characters at 0.943, where strokes are few and thin.
const LIKENESS: f32 = 0.985;
/// How many copies of one image are listed at most.
const LISTED: usize = 8;
/// Below this standard deviation, where 1 is from black to white, an image shows nothing.
const FLAT: f32 = 0.01;

/// What is compared of an image: rows of unit length.
pub(super) struct Likeness {
    coarse: Vec<f32>,
    fine: Vec<f32>,
}

impl Likeness {
    /// Looks at an image of `[channels, height, width]` with values from 0 to 1; `None` if it is
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

/// Whether an image shows nothing.
pub(super) fn is_flat(pixels: &Pixels) -> bool {
    let values = pixels.values();
    let mean = values.iter().sum::<f32>() / single(values.len());
    let squares = values.iter().map(|it| (it - mean).powi(2)).sum::<f32>();
    squares / single(values.len()) < FLAT * FLAT
}

/// All pairs of near copies that `matters` names, in order; of one image the first few.
pub(super) fn near_copies(
    images: &[Option<Likeness>],
    matters: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<[usize; 2]> {
    let matters = &matters;
    (0..images.len())
        .into_par_iter()
        .flat_map_iter(|at| {
            let others = at + 1..if images[at].is_some() { images.len() } else { at + 1 };
            others
                .filter(move |other| match (&images[at], &images[*other]) {
                    (Some(one), Some(another)) => matters(at, *other) && one.is_near(another),
                    _ => false,
                })
                .take(LISTED)
                .map(move |other| [at, other])
        })
        .collect()
}

/// Means over cells, and over channels.
fn cells(values: &[f32], [channels, height, width]: [usize; 3], side: usize) -> Vec<f32> {
    let edge = |it: usize, length: usize| (it * length / side).min(length - 1);
    let range = |it: usize, length: usize| {
        edge(it, length)..((it + 1) * length / side).max(edge(it, length) + 1)
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

/// Scales a row to length 1, unless it has none.
fn to_unit(row: &mut [f32]) -> bool {
    let length = dot(row, row).sqrt();
    for it in row.iter_mut() {
        *it /= length;
    }
    1e-6 < length
}

/// In several sums at once, which a processor adds side by side.
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

    /// Waves of some kind, lit by `light`, with `grain` on it.
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
    fn other_light_and_some_grain_make_no_other_image() {
        let images = [image(1, 1.0, 0.0), image(1, 0.6, 0.02), image(2, 1.0, 0.0)];
        assert_eq!(near_copies(&images, |_, _| true), [[0, 1]]);
        assert_eq!(near_copies(&images, |_, other| other != 1), [] as [[usize; 2]; 0]);
    }

    #[test]
    fn what_shows_nothing_is_no_copy() {
        assert!(image(1, 0.0, 0.0).is_none() && image(1, 0.01, 0.0).is_none());
        let images = [image(1, 0.0, 0.0), image(1, 0.0, 0.0)];
        assert!(near_copies(&images, |_, _| true).is_empty());
    }

    #[test]
    fn an_image_smaller_than_the_cells_is_looked_at_too() {
        let values = (0..12).map(|it: u8| f32::from(it % 5) / 5.0).collect();
        assert!(Likeness::of(&Pixels::new(values), [3, 2, 2]).is_some());
    }
}
