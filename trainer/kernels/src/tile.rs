//! The innermost loops: a few channels at a few positions, with all sums in registers.

use std::array::from_fn;

use pulp::Simd;

/// The largest number of result channels of a tile. With two vectors each, twelve sums use twelve of sixteen registers;
/// the others are for the operands.
pub(crate) const CHANNELS: usize = 6;
/// The largest number of vectors of positions of a tile.
pub(crate) const VECTORS: usize = 2;

/// Returns the weighted sums of the values at `taps` from each of `starts`, for each of `M` channels.
#[inline(always)]
pub(crate) fn weigh<S: Simd, const M: usize, const P: usize>(
    simd: S,
    canvas: &[f32],
    taps: &[usize],
    weights: &[[f32; M]],
    starts: [usize; P],
) -> [[S::f32s; P]; M] {
    let from: [&[f32]; P] = from_fn(|vector| &canvas[starts[vector]..]);
    let mut sums = [[simd.splat_f32s(0.0); P]; M];
    for (tap, weights) in taps.iter().zip(weights) {
        let values: [S::f32s; P] = from_fn(|vector| load(simd, from[vector], *tap));
        for (sums, weight) in sums.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(*weight);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_f32s(weight, value, *sum);
            }
        }
    }
    sums
}

/// Adds, for each of `C` channels and `T` taps, the products of a channel's gradients with the values at the tap from their
/// positions.
#[inline(always)]
pub(crate) fn correlate<S: Simd, const C: usize, const T: usize>(
    simd: S,
    canvas: &[f32],
    starts: &[usize],
    gradients: [&[f32]; C],
    taps: [usize; T],
    sums: &mut [[S::f32s; T]; C],
) {
    let gradients: [&[S::f32s]; C] =
        gradients.map(|channel| &S::as_simd_f32s(channel).0[..starts.len()]);
    let from: [&[f32]; T] = from_fn(|tap| &canvas[taps[tap]..]);
    for (at, start) in starts.iter().enumerate() {
        let values: [S::f32s; T] = from_fn(|tap| load(simd, from[tap], *start));
        for (sums, gradients) in sums.iter_mut().zip(gradients) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_f32s(gradients[at], value, *sum);
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(_: S, values: &[f32], at: usize) -> S::f32s {
    S::as_simd_f32s(&values[at..][..S::F32_LANES]).0[0]
}
