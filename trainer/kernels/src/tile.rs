//! The innermost loops: a few channels at a few places, all sums in registers.

use std::array::from_fn;

use pulp::Simd;

/// How many result channels a tile has at most: with two vectors each, twelve sums stand in
/// sixteen registers, and leave room for what they are made of.
pub(crate) const CHANNELS: usize = 6;
/// How many vectors of places a tile has at most.
pub(crate) const VECTORS: usize = 2;

/// Sums of what stands at `taps` from each of `starts`, weighed for each of `M` channels.
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

/// Adds, for each of `C` channels and `T` taps, the products of a channel's gradients with what
/// stands at the tap from their places.
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
