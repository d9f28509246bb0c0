//! Augmentation: variations of an image that keep its identity.
//!
//! Values are in [0, 1] before and after.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::grid::{neighbours, single};

/// The strength of each augmentation; 0 turns it off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// The largest rotation in degrees, in both directions.
    pub rotation: f32,
    /// The largest shift, as a share of each side.
    pub shift: f32,
    /// The largest change of size, as a share.
    pub scale: f32,
    /// The largest change of the aspect ratio, as a share.
    pub stretch: f32,
    /// The largest horizontal shear, as a share of the height.
    pub shear: f32,
    /// The largest displacement of the points of a coarse grid (elastic deformation), as a share of each side.
    pub elastic: f32,
    /// The probability of a mirror image (left to right).
    pub mirror: f64,
    /// The largest change of contrast and brightness, as a share.
    pub contrast: f32,
    /// The largest change of gamma, as a share.
    pub gamma: f32,
    /// The largest strength of a brightness gradient across the image.
    pub light: f32,
    /// The probability that a patch is erased.
    pub erase: f64,
    /// The largest side of an erased patch, as a share of the image's side.
    pub erase_side: f32,
}

impl Augmentation {
    /// Augments an image.
    ///
    /// # Shapes
    ///
    /// - `pixels`: `channels * height * width` values, as in `shape`
    pub fn apply(&self, pixels: &[f32], shape: [usize; 3], random: &mut ChaCha8Rng) -> Vec<f32> {
        let mut varied = self.warp(pixels, shape, random);
        self.tone(&mut varied, shape, random);
        if random.random_bool(self.erase) {
            self.erase(&mut varied, shape, random);
        }
        varied
    }

    /// Rotates, shifts, scales, shears, bends and mirrors an image with bilinear interpolation. Beyond the border the
    /// nearest pixel is used.
    fn warp(&self, pixels: &[f32], shape: [usize; 3], random: &mut ChaCha8Rng) -> Vec<f32> {
        let [channels, height, width] = shape;
        let (rows, columns) = (single(height), single(width));
        let angle = within(self.rotation, random).to_radians();
        let scale = 1.0 + within(self.scale, random);
        let stretch = 1.0 + within(self.stretch, random);
        // Without shear no random number is drawn, so that older recipes keep their random sequence.
        let shear = if self.shear == 0.0 { 0.0 } else { within(self.shear, random) };
        let flip = if random.random_bool(self.mirror) { -1.0 } else { 1.0 };
        let down = within(self.shift, random) * rows;
        let right = within(self.shift, random) * columns;
        let (middle_row, middle_column) = ((rows - 1.0) / 2.0, (columns - 1.0) / 2.0);
        let (sine, cosine) = angle.sin_cos();
        let bend = (self.elastic != 0.0).then(|| Bend::new(self.elastic, random));
        let mut varied = Vec::with_capacity(pixels.len());
        for channel in pixels.chunks_exact(height * width).take(channels) {
            for row in 0..height {
                for column in 0..width {
                    let moved = bend.as_ref().map_or([0.0; 2], |bend| {
                        bend.at([single(row) / rows, single(column) / columns])
                    });
                    let below = single(row) - middle_row - down + moved[0] * rows;
                    let beside = single(column) - middle_column - right + moved[1] * columns;
                    let y = below / (scale * stretch);
                    let x = beside / scale * stretch + shear * y;
                    let from_row = sine * x + cosine * y + middle_row;
                    let from_column = flip * (cosine * x - sine * y) + middle_column;
                    varied.push(bilinear(channel, [height, width], from_row, from_column));
                }
            }
        }
        varied
    }

    /// Changes contrast, brightness, gamma and the brightness gradient.
    fn tone(&self, pixels: &mut [f32], [_, height, width]: [usize; 3], random: &mut ChaCha8Rng) {
        let contrast = 1.0 + within(self.contrast, random);
        let brightness = within(self.contrast, random) * 0.5;
        let gamma = within(self.gamma, random).exp();
        let light = within(self.light, random);
        let (sine, cosine) = within(std::f32::consts::PI, random).sin_cos();
        for (at, value) in pixels.iter_mut().enumerate() {
            let row = single(at / width % height) / single(height) - 0.5;
            let column = single(at % width) / single(width) - 0.5;
            let lit = value.powf(gamma) * (1.0 + 2.0 * light * (sine * row + cosine * column));
            *value = ((lit - 0.5) * contrast + 0.5 + brightness).clamp(0.0, 1.0);
        }
    }

    /// Fills a patch with one shade of grey.
    fn erase(&self, pixels: &mut [f32], [_, height, width]: [usize; 3], random: &mut ChaCha8Rng) {
        let side = |all: usize, random: &mut ChaCha8Rng| {
            let wanted = random.random_range(0.3..=1.0_f32) * self.erase_side * single(all);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of an image's side"
            )]
            let side = wanted.max(1.0) as usize;
            side.min(all)
        };
        let (rows, columns) = (side(height, random), side(width, random));
        let top = random.random_range(0..=height - rows);
        let left = random.random_range(0..=width - columns);
        let shade = random.random_range(0.0..=1.0);
        for channel in pixels.chunks_exact_mut(height * width) {
            for row in top..top + rows {
                channel[row * width + left..row * width + left + columns].fill(shade);
            }
        }
    }
}

/// A smooth field of displacements over an image.
struct Bend([[[f32; 2]; Self::POINTS]; Self::POINTS]);

impl Bend {
    /// The number of grid points per side.
    const POINTS: usize = 5;

    fn new(extent: f32, random: &mut ChaCha8Rng) -> Self {
        Self([(); Self::POINTS].map(|()| {
            [(); Self::POINTS].map(|()| [within(extent, random), within(extent, random)])
        }))
    }

    /// Returns the displacement at a point; both are shares of the sides, and the point is in [0, 1].
    fn at(&self, [down, right]: [f32; 2]) -> [f32; 2] {
        let of = |place: f32| {
            let (before, after, between) =
                neighbours(place * single(Self::POINTS - 1), Self::POINTS);
            // The smooth step avoids a visible edge between the cells of the grid.
            (before, after, between * between * (3.0 - 2.0 * between))
        };
        let (top, below, down) = of(down);
        let (left, beside, right) = of(right);
        [0, 1].map(|axis| {
            let at = |row: usize, column: usize| self.0[row][column][axis];
            let upper = at(top, left) * (1.0 - right) + at(top, beside) * right;
            let lower = at(below, left) * (1.0 - right) + at(below, beside) * right;
            upper * (1.0 - down) + lower * down
        })
    }
}

/// Interpolates between the pixels of one channel.
fn bilinear(channel: &[f32], [height, width]: [usize; 2], row: f32, column: f32) -> f32 {
    let (top, below, down) = neighbours(row, height);
    let (left, beside, right) = neighbours(column, width);
    let at = |row: usize, column: usize| channel[row * width + column];
    let upper = at(top, left) * (1.0 - right) + at(top, beside) * right;
    let lower = at(below, left) * (1.0 - right) + at(below, beside) * right;
    upper * (1.0 - down) + lower * down
}

fn within(extent: f32, random: &mut ChaCha8Rng) -> f32 {
    random.random_range(-1.0..=1.0) * extent
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const SHAPE: [usize; 3] = [1, 2, 3];
    const PIXELS: [f32; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

    #[track_caller]
    fn check(augmentation: &Augmentation, expected: [f32; 6]) {
        let varied = augmentation.apply(&PIXELS, SHAPE, &mut ChaCha8Rng::seed_from_u64(1));
        for (value, expected) in varied.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{varied:?}");
        }
    }

    #[test]
    fn the_default_changes_nothing() {
        check(&Augmentation::default(), PIXELS);
    }

    #[test]
    fn a_mirrored_image_runs_right_to_left() {
        let mirrored = Augmentation { mirror: 1.0, ..Augmentation::default() };
        check(&mirrored, [0.3, 0.2, 0.1, 0.6, 0.5, 0.4]);
    }

    #[test]
    fn a_bent_image_moves_by_at_most_its_limit() {
        let bend = Bend::new(0.1, &mut ChaCha8Rng::seed_from_u64(1));
        let mut most = 0.0_f32;
        for row in 0_u8..=20 {
            for column in 0_u8..=20 {
                let moved = bend.at([row, column].map(|value| f32::from(value) / 20.0));
                most = moved.iter().fold(most, |most, it| most.max(it.abs()));
            }
        }
        assert!(0.05 < most && most <= 0.1, "{most}");
    }

    #[test]
    fn an_erased_patch_has_one_shade() {
        let erased = Augmentation { erase: 1.0, erase_side: 0.01, ..Augmentation::default() };
        let varied = erased.apply(&PIXELS, SHAPE, &mut ChaCha8Rng::seed_from_u64(1));
        let changed = varied.iter().zip(PIXELS).filter(|(a, b)| 1e-6 < (*a - b).abs()).count();
        assert_eq!(changed, 1);
    }

    #[test]
    fn values_are_always_between_black_and_white() {
        let wild = Augmentation {
            rotation: 180.0,
            shift: 2.0,
            scale: 0.9,
            stretch: 0.9,
            shear: 0.9,
            elastic: 0.9,
            mirror: 0.5,
            contrast: 3.0,
            gamma: 2.0,
            light: 3.0,
            erase: 0.5,
            erase_side: 1.0,
        };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let varied = wild.apply(&PIXELS, SHAPE, &mut random);
            assert!(varied.iter().all(|value| (0.0..=1.0).contains(value)), "{varied:?}");
        }
    }
}
