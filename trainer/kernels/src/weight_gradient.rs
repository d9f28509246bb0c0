//! The gradient of a convolution's weights.

use std::array::from_fn;

use pulp::Simd;

use crate::convolution::Scratch;
use crate::geometry::Geometry;
use crate::sweep::{Canvas, Sweep, forward};
use crate::tile::correlate;

/// The smallest number of vectors to sum before their lanes are added, because adding lanes is slow.
const LONG: usize = 64;
/// The channels and taps of a tile.
const TILE: [usize; 2] = [4, 3];

/// The gradient of a convolution's weights.
#[derive(Clone, Debug)]
pub(crate) struct WeightGradient {
    geometry: Geometry,
    canvas: Canvas,
    sweep: Sweep,
    /// The number of images that are summed at once.
    pub(crate) at_once: usize,
}

impl WeightGradient {
    pub(crate) fn new(geometry: Geometry, lanes: usize) -> Self {
        let (canvas, sweep) = forward(&geometry, lanes);
        let at_once = LONG.div_ceil(sweep.starts.len());
        Self { geometry, canvas, sweep, at_once }
    }

    /// Adds the gradient of a few images.
    ///
    /// # Shapes
    ///
    /// - `images`: `[n, in, height, width]`
    /// - `gradients`: of the results, `[n, out, height, width]`
    /// - `weights`: `[out, in, kernel, kernel]`
    #[inline(always)]
    pub(crate) fn add<S: Simd>(
        &self,
        simd: S,
        images: &[f32],
        gradients: &[f32],
        scratch: &mut Scratch,
        weights: &mut [f32],
    ) {
        let [_, outputs] = self.geometry.channels;
        let length = self.sweep.starts.len() * S::F32_LANES;
        let n_images = images.len() / self.geometry.inputs();
        let size = self.canvas.len();
        scratch.blank(self.canvas, n_images);
        for (image, canvas) in
            images.chunks_exact(self.geometry.inputs()).zip(scratch.canvas.chunks_exact_mut(size))
        {
            self.canvas.fill(image, canvas);
        }
        if scratch.sheet.len() != n_images * outputs * length {
            scratch.sheet.clear();
            scratch.sheet.resize(n_images * outputs * length, 0.0);
        }
        let plane = self.sweep.size.iter().product();
        for (plane, sheet) in
            gradients.chunks_exact(plane).zip(scratch.sheet.chunks_exact_mut(length))
        {
            self.sweep.put_on(plane, sheet);
        }
        let part = Part { gradient: self, scratch, n_images, length };
        let n_taps = self.sweep.taps.len();
        let [channels, taps] = TILE;
        let mut rows = weights.chunks_exact_mut(channels * n_taps);
        let mut at = 0;
        for rows in &mut rows {
            part.add_rows::<S, { TILE[0] }>(simd, at, taps, rows);
            at += channels;
        }
        for row in rows.into_remainder().chunks_exact_mut(n_taps) {
            part.add_rows::<S, 1>(simd, at, taps, row);
            at += 1;
        }
    }
}

/// The data of the gradient of some channels' weights.
struct Part<'a> {
    gradient: &'a WeightGradient,
    scratch: &'a Scratch,
    n_images: usize,
    length: usize,
}

impl Part<'_> {
    /// Adds to the weights of `C` channels, starting with the channel `first`.
    #[inline(always)]
    fn add_rows<S: Simd, const C: usize>(
        &self,
        simd: S,
        first: usize,
        at_once: usize,
        rows: &mut [f32],
    ) {
        let taps = &self.gradient.sweep.taps;
        for (at, some) in taps.chunks(at_once).enumerate() {
            let at = at * at_once;
            match *some {
                [a] => self.add_tile::<S, C, 1>(simd, first, [a], at, rows),
                [a, b] => self.add_tile::<S, C, 2>(simd, first, [a, b], at, rows),
                [a, b, c] => self.add_tile::<S, C, 3>(simd, first, [a, b, c], at, rows),
                _ => unreachable!("taps go by threes"),
            }
        }
    }

    #[inline(always)]
    fn add_tile<S: Simd, const C: usize, const T: usize>(
        &self,
        simd: S,
        first: usize,
        taps: [usize; T],
        at: usize,
        rows: &mut [f32],
    ) {
        let WeightGradient { canvas, sweep, geometry, .. } = self.gradient;
        let mut sums = [[simd.splat_f32s(0.0); T]; C];
        for image in 0..self.n_images {
            let canvas = &self.scratch.canvas[image * canvas.len()..][..canvas.len()];
            let channels: [&[f32]; C] = from_fn(|offset| {
                let channel = image * geometry.channels[1] + first + offset;
                &self.scratch.sheet[channel * self.length..][..self.length]
            });
            correlate(simd, canvas, &sweep.starts, channels, taps, &mut sums);
        }
        for (row, sums) in rows.chunks_exact_mut(sweep.taps.len()).zip(sums) {
            for (weight, sum) in row[at..].iter_mut().zip(sums) {
                *weight += simd.reduce_sum_f32s(sum);
            }
        }
    }
}
