//! The triangle filter in fixed point, to the bit as Pillow's 8-bit `resize(..., BILINEAR)`.
//!
//! Own code, where a library would do but for the last bit: `fast_image_resize` has coefficients
//! of 16 bits where Pillow has 22, and makes its two passes in the other order. Its results are
//! within 1/255, which moves a tower's embeddings by more than 1e-4.

use super::side::Side;

/// Binary digits of a coefficient after the point.
const PRECISION: u32 = 22;

/// How many of them are in [`Kernel::low`].
const LOW: u32 = 11;

/// For each place of a target's side, which samples of a source's side it takes, and how much of
/// each.
pub(super) struct Kernel {
    /// First sample, and how many, for each target place.
    windows: Vec<(usize, usize)>,
    /// The coefficients' upper digits, of one window after another.
    ///
    /// A coefficient is `high * 2^LOW + low`. Apart they fit 16 bits, where processors multiply
    /// eight and more at once.
    high: Vec<i16>,
    low: Vec<i16>,
}

impl Kernel {
    /// Maps `from..to` of a side, in pixels, onto `target` places.
    ///
    /// A target place is as wide as `(to - from) / target` pixels; its triangle reaches that far,
    /// but at least one pixel, to either side of its centre. A sample that stands for several
    /// pixels has the weights of them all.
    pub(super) fn new(side: Side, [from, to]: [f32; 2], target: usize) -> Self {
        let pixels = side.pixels() as usize;
        let scale = f64::from(to - from) / float(target);
        let reach = scale.max(1.0);
        let longest = (index(reach.ceil()) * 2 + 1).min(side.samples() as usize);
        let mut kernel = Self {
            windows: Vec::with_capacity(target),
            high: Vec::with_capacity(longest * target),
            low: Vec::with_capacity(longest * target),
        };
        let mut weights = Vec::with_capacity(longest);
        for place in 0..target {
            let centre = f64::from(from) + (float(place) + 0.5) * scale;
            let first = index(centre - reach + 0.5);
            let end = index(centre + reach + 0.5).min(pixels);
            let first_sample = side.sample_of(first);
            weights.clear();
            for pixel in first..end {
                let distance = (float(pixel) - centre + 0.5) * (1.0 / reach);
                let at = side.sample_of(pixel) - first_sample;
                if at == weights.len() {
                    weights.push(0.0);
                }
                weights[at] += (1.0 - distance.abs()).max(0.0);
            }
            let sum: f64 = weights.iter().sum();
            for weight in &weights {
                let [high, low] = fixed(if sum == 0.0 { *weight } else { weight / sum });
                kernel.high.push(high);
                kernel.low.push(low);
            }
            kernel.windows.push((first_sample, weights.len()));
        }
        kernel
    }

    /// The samples from the first to the last that any target place takes.
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        let first = self.windows.first().map_or(0, |(first, _)| *first);
        let end = self.windows.last().map_or(0, |(first, length)| first + length);
        first..end
    }

    /// Resamples one line.
    ///
    /// # Shapes
    ///
    /// - `source`: all samples of the source's side
    /// - `target`: all places of the target's side
    pub(super) fn along(&self, source: &[u8], target: &mut [u8]) {
        for (byte, (first, high, low)) in target.iter_mut().zip(self.taps()) {
            *byte = weighted(&source[first..first + high.len()], high, low);
        }
    }

    /// Resamples across lines: `lines` stand one after another, those of [`Self::span`] only.
    ///
    /// # Shapes
    ///
    /// - `lines`: `[span, width]`
    /// - `target`: `[target's side, width]`
    pub(super) fn across(&self, lines: &[u8], width: usize, target: &mut [u8]) {
        let skipped = self.span().start;
        let mut sums = vec![0; width];
        for (line, (first, high, low)) in target.chunks_exact_mut(width).zip(self.taps()) {
            let sources = lines[(first - skipped) * width..].chunks_exact(width);
            sums.fill(1 << (PRECISION - 1));
            for ((high, low), source) in high.iter().zip(low).zip(sources) {
                let coefficient = (i32::from(*high) << LOW) + i32::from(*low);
                for (sum, byte) in sums.iter_mut().zip(source) {
                    *sum += coefficient * i32::from(*byte);
                }
            }
            for (byte, sum) in line.iter_mut().zip(&sums) {
                *byte = whole(*sum);
            }
        }
    }

    /// The first sample and the coefficients' upper and lower digits, for each target place.
    fn taps(&self) -> impl Iterator<Item = (usize, &[i16], &[i16])> {
        let (mut high, mut low) = (&*self.high, &*self.low);
        self.windows.iter().map(move |(first, length)| {
            let taps = (*first, &high[..*length], &low[..*length]);
            (high, low) = (&high[*length..], &low[*length..]);
            taps
        })
    }
}

/// The weighted sum of bytes, rounded.
fn weighted(bytes: &[u8], high: &[i16], low: &[i16]) -> u8 {
    let (mut high_sum, mut low_sum) = (0_i32, 0_i32);
    for ((byte, high), low) in bytes.iter().zip(high).zip(low) {
        let byte = i32::from(i16::from(*byte));
        high_sum = high_sum.wrapping_add(byte * i32::from(*high));
        low_sum = low_sum.wrapping_add(byte * i32::from(*low));
    }
    // Over very long windows the lower sum wraps; the total fits, and so comes out right.
    let half = 1 << (PRECISION - 1);
    whole((high_sum << LOW).wrapping_add(low_sum).wrapping_add(half))
}

/// Drops the digits after the point.
fn whole(sum: i32) -> u8 {
    u8::try_from(sum >> PRECISION).unwrap_or(u8::MAX)
}

/// A weight from 0 to 1, rounded to [`PRECISION`] digits, in two parts.
fn fixed(weight: f64) -> [i16; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "a weight is at most 1")]
    let coefficient = (weight * f64::from(1 << PRECISION) + 0.5) as i32;
    [coefficient >> LOW, coefficient & ((1 << LOW) - 1)]
        .map(|it| i16::try_from(it).expect("at most 2^11"))
}

/// A place on a side as a number: sides are far below 2^52.
fn float(place: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a side is at most 65535")]
    let float = place as f64;
    float
}

/// The place that a number falls on: what is below 0 falls on 0.
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
        kernel.along(source, &mut along);
        assert_eq!(along, expected);
        let mut across = vec![0; expected.len()];
        kernel.across(&source[kernel.span()], 1, &mut across);
        assert_eq!(across, expected);
    }

    #[test]
    fn what_is_even_stays_even() {
        check(&[7; 9], &[7; 4]);
        check(&[255; 3], &[255; 8]);
    }

    #[test]
    fn a_smaller_side_takes_in_every_place() {
        check(&[0, 0, 240, 0, 0, 0], &[60, 30]);
    }

    #[test]
    fn a_larger_side_has_steps_between() {
        check(&[0, 100], &[0, 25, 75, 100]);
    }

    #[test]
    fn a_line_of_the_greatest_length_does_not_overflow() {
        check(&vec![255; 65_535], &[255]);
    }
}
