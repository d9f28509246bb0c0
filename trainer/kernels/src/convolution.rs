//! The convolution of an image, and the gradient of its input.

use pulp::Simd;

use crate::geometry::Geometry;
use crate::sweep::{Canvas, Sweep, backward, forward};
use crate::tile::{CHANNELS, VECTORS, weigh};

/// A sweep with its weights in reading order.
#[derive(Clone, Debug)]
pub(crate) struct Weighed {
    sweep: Sweep,
    /// The weights of each block of channels, tap by tap.
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    first: usize,
    channels: usize,
    weights: Vec<f32>,
}

/// Buffers that are reused for several images.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) canvas: Vec<f32>,
    pub(crate) sheet: Vec<f32>,
}

impl Scratch {
    /// Allocates `count` canvases with zero padding.
    ///
    /// A scratch must be used for one kind of canvas only; planes of another kind would overwrite the padding.
    pub(crate) fn blank(&mut self, canvas: Canvas, count: usize) {
        let length = count * canvas.len();
        if self.canvas.len() != length {
            self.canvas.clear();
            self.canvas.resize(length, 0.0);
        }
    }
}

impl Weighed {
    fn new(sweep: Sweep, n_channels: usize, weights: &[f32]) -> Self {
        // Blocks are as even as possible, because a tile of one channel takes as long as a tile of several.
        let n_blocks = n_channels.div_ceil(CHANNELS);
        let pitch = sweep.weight_pitch;
        let blocks = (0..n_blocks).map(|block| {
            let [first, beyond] = [block, block + 1].map(|bound| bound * n_channels / n_blocks);
            let ordered = sweep
                .weights
                .iter()
                .flat_map(|tap| (first..beyond).map(move |channel| weights[tap + channel * pitch]));
            Block { first, channels: beyond - first, weights: ordered.collect() }
        });
        Self { blocks: blocks.collect(), sweep }
    }

    /// Applies the sweep to a canvas, and copies the results to planes.
    #[inline(always)]
    fn apply<S: Simd>(
        &self,
        simd: S,
        canvas: &[f32],
        sheet: &mut Vec<f32>,
        planes: &mut [f32],
        plane: usize,
    ) {
        let length = self.sweep.starts.len() * S::F32_LANES;
        sheet.resize(CHANNELS * length, 0.0);
        for block in &self.blocks {
            let sheet = &mut sheet[..block.channels * length];
            match block.channels {
                1 => sweep_block::<S, 1>(simd, &self.sweep, &block.weights, canvas, sheet),
                2 => sweep_block::<S, 2>(simd, &self.sweep, &block.weights, canvas, sheet),
                3 => sweep_block::<S, 3>(simd, &self.sweep, &block.weights, canvas, sheet),
                4 => sweep_block::<S, 4>(simd, &self.sweep, &block.weights, canvas, sheet),
                5 => sweep_block::<S, 5>(simd, &self.sweep, &block.weights, canvas, sheet),
                _ => sweep_block::<S, CHANNELS>(simd, &self.sweep, &block.weights, canvas, sheet),
            }
            let planes = planes[block.first * plane..].chunks_exact_mut(plane);
            for (sheet, plane) in sheet.chunks_exact(length).zip(planes) {
                self.sweep.take_off(sheet, plane);
            }
        }
    }
}

impl Sweep {
    /// Copies results from a sheet to their positions in a plane.
    fn take_off(&self, sheet: &[f32], plane: &mut [f32]) {
        let [rows, columns] = self.size;
        for row in 0..rows {
            let results = &sheet[row * self.sheet.row..][..columns];
            let first = self.plane.first + row * self.plane.row;
            if self.plane.column == 1 {
                plane[first..][..columns].copy_from_slice(results);
            } else {
                let targets = plane[first..].iter_mut().step_by(self.plane.column);
                for (target, result) in targets.zip(results) {
                    *target = *result;
                }
            }
        }
    }

    /// Copies a plane to a sheet of zeros, at the positions of its results.
    pub(crate) fn put_on(&self, plane: &[f32], sheet: &mut [f32]) {
        let [rows, columns] = self.size;
        for row in 0..rows {
            sheet[row * self.sheet.row..][..columns]
                .copy_from_slice(&plane[row * columns..][..columns]);
        }
    }
}

#[inline(always)]
fn sweep_block<S: Simd, const M: usize>(
    simd: S,
    sweep: &Sweep,
    weights: &[f32],
    canvas: &[f32],
    sheet: &mut [f32],
) {
    let (weights, _) = weights.as_chunks::<M>();
    let (pairs, rest) = sweep.starts.as_chunks::<VECTORS>();
    let n_starts = sweep.starts.len();
    let (sheet, _) = S::as_mut_simd_f32s(sheet);
    for (at, starts) in pairs.iter().enumerate() {
        let sums = weigh::<S, M, VECTORS>(simd, canvas, &sweep.taps, weights, *starts);
        for (channel, sums) in sums.iter().enumerate() {
            sheet[channel * n_starts + VECTORS * at..][..VECTORS].copy_from_slice(sums);
        }
    }
    for start in rest {
        let sums = weigh::<S, M, 1>(simd, canvas, &sweep.taps, weights, [*start]);
        for (channel, [sum]) in sums.into_iter().enumerate() {
            sheet[channel * n_starts + n_starts - 1] = sum;
        }
    }
}

/// A convolution with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    geometry: Geometry,
    canvas: Canvas,
    weighed: Weighed,
}

impl Convolution {
    /// # Shapes
    ///
    /// - `weights`: `[out, in, kernel, kernel]`
    pub(crate) fn new(geometry: Geometry, weights: &[f32], lanes: usize) -> Self {
        let (canvas, sweep) = forward(&geometry, lanes);
        Self { geometry, canvas, weighed: Weighed::new(sweep, geometry.channels[1], weights) }
    }

    /// Convolves one image.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        &self,
        simd: S,
        image: &[f32],
        scratch: &mut Scratch,
        result: &mut [f32],
    ) {
        scratch.blank(self.canvas, 1);
        self.canvas.fill(image, &mut scratch.canvas);
        let plane = self.geometry.output().iter().product();
        self.weighed.apply(simd, &scratch.canvas, &mut scratch.sheet, result, plane);
    }
}

/// The gradient of the input of a convolution.
#[derive(Clone, Debug)]
pub(crate) struct InputGradient {
    geometry: Geometry,
    canvas: Canvas,
    phases: Vec<Weighed>,
}

impl InputGradient {
    pub(crate) fn new(geometry: Geometry, weights: &[f32], lanes: usize) -> Self {
        let (canvas, sweeps) = backward(&geometry, lanes);
        let phases = sweeps
            .into_iter()
            .map(|sweep| Weighed::new(sweep, geometry.channels[0], weights))
            .collect();
        Self { geometry, canvas, phases }
    }

    /// Computes the gradient of an image from the gradient of its result.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        &self,
        simd: S,
        gradient: &[f32],
        scratch: &mut Scratch,
        image: &mut [f32],
    ) {
        scratch.blank(self.canvas, 1);
        self.canvas.fill(gradient, &mut scratch.canvas);
        let plane = self.geometry.side.iter().product();
        for phase in &self.phases {
            phase.apply(simd, &scratch.canvas, &mut scratch.sheet, image, plane);
        }
    }
}
