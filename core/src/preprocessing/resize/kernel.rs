//! The triangle filter in fixed-point arithmetic, identical to the bit to Pillow's 8-bit `resize(..., BILINEAR)`.
//!
//! Libraries differ in the last bit: `fast_image_resize` has coefficients of 16 bits instead of Pillow's 22, and does
//! its two passes in the other order. Its results are within 1/255, which changes a model's embeddings by more than
//! 1e-4.

use super::transpose::transpose;
use crate::preprocessing::side::Side;

/// The fractional bits of a coefficient.
const PRECISION: u32 = 22;

/// One half with this many fractional bits: it rounds the result.
const HALF: i32 = 1 << (PRECISION - 1);

/// The number of samples that are weighted at once: their sums fit into registers.
const LANES: usize = 32;

/// The most lines that are resampled at once.
const BLOCK: usize = 64;

/// For each position on a target's side: the samples of the source's side that it covers, and their weights.
pub(super) struct Kernel {
    /// The first sample and the number of samples, for each target position.
    windows: Vec<(usize, usize)>,
    /// The coefficients of all windows, one after another.
    coefficients: Vec<i32>,
}

impl Kernel {
    /// Maps `from..to` of a side, in pixels, onto `target` positions.
    ///
    /// A target position is `(to - from) / target` pixels wide. Its triangle extends that far, but at least one pixel,
    /// to each side of its centre.
    ///
    /// A sample that covers several pixels is their mean. The pixels are taken to rise or fall evenly through the sample,
    /// as its two neighbours do. So a neighbour has a weight too, which can be negative. If each pixel counted as the mean,
    /// the result would be blurred: on photographs its error would be a quarter to a half larger.
    pub(super) fn new(side: Side, [from, to]: [f32; 2], target: usize) -> Self {
        let pixels = side.pixels() as usize;
        let scale = f64::from(to - from) / float(target);
        let reach = scale.max(1.0);
        let longest = (index(reach.ceil()) * 2 + 3).min(side.samples() as usize);
        let mut kernel = Self {
            windows: Vec::with_capacity(target),
            coefficients: Vec::with_capacity(longest * target),
        };
        let mut weights = Vec::with_capacity(longest);
        for position in 0..target {
            let centre = f64::from(from) + (float(position) + 0.5) * scale;
            let first = index(centre - reach + 0.5);
            let end = index(centre + reach + 0.5).min(pixels);
            let samples = side.samples_around(first..end);
            weights.clear();
            weights.resize(samples.len(), 0.0);
            for pixel in first..end {
                let distance = (float(pixel) - centre + 0.5) * (1.0 / reach);
                let weight = (1.0 - distance.abs()).max(0.0);
                let sample = side.sample_of(pixel) - samples.start;
                weights[sample] += weight;
                let slope = weight * side.place_in_sample(pixel) / 2.0;
                let last = samples.len() - 1;
                weights[(sample + 1).min(last)] += slope;
                weights[sample.saturating_sub(1)] -= slope;
            }
            let sum: f64 = weights.iter().sum();
            let sum = if sum == 0.0 { 1.0 } else { sum };
            kernel.coefficients.extend(weights.iter().map(|weight| fixed(weight / sum)));
            kernel.windows.push((samples.start, weights.len()));
        }
        kernel
    }

    /// The samples from the first to the last that any target position covers.
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        let first = self.windows.first().map_or(0, |(first, _)| *first);
        let end = self.windows.last().map_or(0, |(first, length)| first + length);
        first..end
    }

    /// Resamples along lines, which contain only the samples of [`Self::span`].
    ///
    /// Blocks of lines are transposed, so that the sums of all lines of a block are formed at once.
    ///
    /// # Shapes
    ///
    /// - `lines`: `[any, span]`
    /// - `target`: `[any, target's side]`
    #[inline(always)]
    pub(super) fn along(&self, lines: &[u8], target: &mut [u8]) {
        let (width, target_width) = (self.span().len(), self.windows.len());
        // Blocks of one size: a rest of few lines would take as long as a whole block.
        let count = lines.len() / width;
        let block = count.div_ceil(count.div_ceil(BLOCK).max(1)).max(1);
        let [mut columns, mut done] = [width, target_width].map(|side| vec![0; side * block]);
        let targets = target.chunks_mut(target_width * block);
        for (lines, target) in lines.chunks(width * block).zip(targets) {
            let height = lines.len() / width;
            transpose(lines, width, &mut columns);
            let done = &mut done[..target_width * height];
            self.across(&columns[..width * height], height, done);
            transpose(done, height, target);
        }
    }

    /// Resamples across lines. `lines` are stored one after another, and contain only those of [`Self::span`].
    ///
    /// # Shapes
    ///
    /// - `lines`: `[span, width]`
    /// - `target`: `[target's side, width]`
    #[inline(always)]
    pub(super) fn across(&self, lines: &[u8], width: usize, target: &mut [u8]) {
        let skipped = self.span().start;
        // The last chunk may cover samples of the one before it again.
        let whole_chunks = (0..width / LANES).map(|index| index * LANES);
        let last = width.checked_sub(LANES).filter(|start| start % LANES != 0);
        let starts = whole_chunks.chain(last);
        for (line, (first, coefficients)) in target.chunks_exact_mut(width).zip(self.taps()) {
            let sources = lines[(first - skipped) * width..].chunks(width);
            let sources = coefficients.iter().zip(sources);
            for start in starts.clone() {
                let mut sums = [HALF; LANES];
                for (coefficient, source) in sources.clone() {
                    let bytes: &[u8; LANES] = source[start..].first_chunk().expect("a chunk");
                    for (sum, byte) in sums.iter_mut().zip(bytes) {
                        *sum += coefficient * i32::from(*byte);
                    }
                }
                for (byte, sum) in line[start..].iter_mut().zip(sums) {
                    *byte = whole(sum);
                }
            }
            if width < LANES {
                for (index, byte) in line.iter_mut().enumerate() {
                    let weighted =
                        sources.clone().map(|(weight, line)| weight * i32::from(line[index]));
                    *byte = whole(weighted.sum::<i32>() + HALF);
                }
            }
        }
    }

    /// The first sample and the coefficients, for each target position.
    #[inline(always)]
    fn taps(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let mut rest = &*self.coefficients;
        self.windows.iter().map(move |(first, length)| {
            let (coefficients, after) = rest.split_at(*length);
            rest = after;
            (*first, coefficients)
        })
    }
}

/// Removes the fractional bits.
#[inline(always)]
fn whole(sum: i32) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
    let byte = (sum >> PRECISION).clamp(0, 255) as u8;
    byte
}

/// A weight from -1 to 1, rounded to [`PRECISION`] bits.
fn fixed(weight: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a weight is at most 1")]
    let coefficient = (weight * f64::from(1 << PRECISION) + 0.5).floor() as i32;
    coefficient
}

/// Converts a position on a side to a number: sides are far below 2^52.
fn float(position: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a side is at most 65535")]
    let float = position as f64;
    float
}

/// The position that a number falls on; numbers below 0 become 0.
fn index(number: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let index = number as usize;
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &[u8], expected: &[u8]) {
        let side = u16::try_from(source.len()).expect("a short line");
        let whole = [0.0, f32::from(side)];
        let kernel = Kernel::new(Side::whole(side.into()), whole, expected.len());
        let mut along = vec![0; expected.len()];
        kernel.along(&source[kernel.span()], &mut along);
        assert_eq!(along, expected);
        let mut across = vec![0; expected.len()];
        kernel.across(&source[kernel.span()], 1, &mut across);
        assert_eq!(across, expected);
    }

    #[test]
    fn a_uniform_line_is_unchanged() {
        check(&[7; 9], &[7; 4]);
        check(&[255; 3], &[255; 8]);
    }

    #[test]
    fn shrinking_uses_every_sample() {
        check(&[0, 0, 240, 0, 0, 0], &[60, 30]);
    }

    #[test]
    fn enlarging_interpolates_between_samples() {
        check(&[0, 100], &[0, 25, 75, 100]);
    }

    #[test]
    fn the_longest_line_does_not_overflow() {
        check(&vec![255; 65_535], &[255]);
    }
}
