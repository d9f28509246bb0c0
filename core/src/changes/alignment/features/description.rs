//! What the surroundings of a corner look like, whichever way they are turned.

use super::super::plane::Plane;

/// 256 comparisons of two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits([u64; 4]);

impl Bits {
    /// The number of comparisons that differ, from 0 to 256.
    pub(super) fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0).map(|(one, other)| (one ^ other).count_ones()).sum()
    }
}

/// Which places around a corner are compared.
///
/// The places are drawn at random once, as in BRIEF (M. Calonder et al., *BRIEF: binary robust independent elementary
/// features*, 2010), and turn with the corner, as in ORB (E. Rublee et al., *ORB: an efficient alternative to SIFT or
/// SURF*, 2011).
pub(super) struct Pattern {
    comparisons: Vec<[[f32; 2]; 2]>,
    /// The offsets of a disc.
    disc: Vec<[i32; 2]>,
}

impl Pattern {
    /// How far the surroundings reach, in pixels.
    pub(super) const REACH: usize = 15;

    pub(super) fn new() -> Self {
        let mut state = 1;
        let comparisons = (0..256).map(|_| [place(&mut state), place(&mut state)]).collect();
        let reach = Self::REACH as i32 - 1;
        let square = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| [x, y]));
        let disc = square.filter(|[x, y]| x * x + y * y <= reach * reach).collect();
        Self { comparisons, disc }
    }

    /// Describes the surroundings of a pixel, which is at least [`Self::REACH`] pixels from the edges.
    pub(super) fn describe(&self, smooth: &Plane, [column, row]: [usize; 2]) -> Bits {
        let value = |x: i32, y: i32| {
            smooth.at(column.wrapping_add_signed(x as isize), row.wrapping_add_signed(y as isize))
        };
        // The direction from the corner to the centre of the light around it.
        let centre = self.disc.iter().fold([0.0, 0.0], |[across, down], [x, y]| {
            let value = value(*x, *y);
            [across + value * *x as f32, down + value * *y as f32]
        });
        let (sin, cos) = f32::atan2(centre[1], centre[0]).sin_cos();
        let turned = |[x, y]: [f32; 2]| {
            value((cos * x - sin * y).round() as i32, (sin * x + cos * y).round() as i32)
        };
        let mut bits = [0; 4];
        for (index, [one, other]) in self.comparisons.iter().enumerate() {
            bits[index / 64] |= u64::from(turned(*one) < turned(*other)) << (index % 64);
        }
        Bits(bits)
    }
}

/// The mean of each pixel and its neighbours: a comparison of single pixels would be one of noise.
pub(super) fn smooth(plane: &Plane) -> Plane {
    const REACH: usize = 2;
    let Plane { width, height, values } = plane;
    let mean = |values: &[f32], index: usize, step: usize| {
        let near = values[index - REACH * step..=index + REACH * step].iter().step_by(step);
        near.sum::<f32>() / (2 * REACH + 1) as f32
    };
    // Descriptions do not reach the edges.
    let smooth = |values: &[f32], step: usize| -> Vec<f32> {
        let inner = REACH * step..values.len().saturating_sub(REACH * step);
        (0..values.len())
            .map(|index| if inner.contains(&index) { mean(values, index, step) } else { 0.0 })
            .collect()
    };
    let values = smooth(&smooth(values, 1), *width);
    Plane { width: *width, height: *height, values }
}

/// A place of a normal distribution around the corner, within the surroundings however they are turned.
fn place(state: &mut u64) -> [f32; 2] {
    loop {
        // The sum of uniform numbers is nearly normal.
        let place = [0, 1].map(|_| (0..4).map(|_| uniform(state) - 0.5).sum::<f32>() * 11.0);
        if place[0].hypot(place[1]) < (Pattern::REACH - 1) as f32 {
            return place;
        }
    }
}

/// A number from 0 to 1. The sequence is that of `SplitMix64` (G. Steele et al., 2014).
pub(super) fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as u32 as f32 / 4_294_967_296.0
}
