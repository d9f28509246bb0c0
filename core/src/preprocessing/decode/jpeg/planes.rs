//! Channels of unlike resolutions become pixels, as libjpeg-turbo makes them.
//!
//! Only for what the library's own way refuses or panics at: differences of colour that are finer than brightness, and
//! inks of which some are coarser.

use libjpeg_turbo_rs::{ColorSpace, FrameHeader, RawImage};

use super::unsupported;
use crate::preprocessing::{DecodeError, Diagnosis};

/// A channel in its own resolution.
pub(super) struct Plane {
    samples: Vec<u8>,
    /// Samples from one row to the next.
    stride: usize,
    /// Columns and rows that are part of the image.
    size: [usize; 2],
    across: Steps,
    down: Steps,
}

/// How many pixels a sample makes, and what stands between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steps {
    Repeated(usize),
    /// Two, each a quarter of the way to its neighbour.
    Between,
}

/// The channels of an image, each as large as its sampling factors say.
pub(super) fn planes(raw: RawImage, frame: &FrameHeader) -> Result<Vec<Plane>, DecodeError> {
    let sampling = |axis: usize| {
        let of = move |at: usize| {
            let it = &frame.components[at];
            usize::from([it.horizontal_sampling, it.vertical_sampling][axis])
        };
        (of, (0..frame.components.len()).map(of).max().unwrap_or(1))
    };
    let (of_columns, most_columns) = sampling(0);
    let (of_rows, most_rows) = sampling(1);
    let size = [frame.width, frame.height].map(usize::from);
    let strides = raw.plane_widths.into_iter();
    let planes = raw.planes.into_iter().zip(strides).enumerate().map(|(at, (samples, stride))| {
        let [columns, rows] = [of_columns(at), of_rows(at)];
        if columns == 0 || rows == 0 || most_columns % columns != 0 || most_rows % rows != 0 {
            return Err(unsupported("sampling factors that do not divide each other"));
        }
        let size =
            [(size[0] * columns).div_ceil(most_columns), (size[1] * rows).div_ceil(most_rows)];
        if stride < size[0] || samples.len() < stride * size[1] {
            return Err(DecodeError::Corrupt(Diagnosis::new(
                "a channel is smaller than its frame",
            )));
        }
        let times = [most_columns / columns, most_rows / rows];
        let [across, down] = steps(times, size[0]);
        Ok(Plane { samples, stride, size, across, down })
    });
    planes.collect()
}

/// Narrow channels are repeated, and so is whatever is not halved in one way of these three.
fn steps(times: [usize; 2], columns: usize) -> [Steps; 2] {
    match times {
        [2, 1] if 2 < columns => [Steps::Between, Steps::Repeated(1)],
        [1, 2] => [Steps::Repeated(1), Steps::Between],
        [2, 2] if 2 < columns => [Steps::Between, Steps::Between],
        times => times.map(Steps::Repeated),
    }
}

impl Plane {
    /// Row `y` of the pixels, as many as are asked for; `sums` is a place for what goes between.
    fn read_row(&self, y: usize, sums: &mut Vec<u16>, row: &mut [u8]) {
        let line = |at: usize| &self.samples[at * self.stride..][..self.size[0]];
        sums.clear();
        // A column's sum of two rows, of which the nearer counts three times, or one row.
        let (near, far) = match self.down {
            Steps::Repeated(times) => (y / times, None),
            Steps::Between if y.is_multiple_of(2) => (y / 2, Some((y / 2).saturating_sub(1))),
            Steps::Between => (y / 2, Some((y / 2 + 1).min(self.size[1] - 1))),
        };
        match far {
            None => sums.extend(line(near).iter().map(|value| u16::from(*value))),
            Some(far) => {
                let both = line(near).iter().zip(line(far));
                sums.extend(both.map(|(near, far)| u16::from(*near) * 3 + u16::from(*far)));
            }
        }
        // Halves go up and down in turn, by what libjpeg adds.
        match (self.across, far) {
            (Steps::Repeated(times), None) => repeat(sums, times, [0, 0], row),
            (Steps::Repeated(times), Some(_)) => {
                let add = if y.is_multiple_of(2) { 1 } else { 2 };
                repeat(sums, times, [add, 2], row);
            }
            (Steps::Between, None) => between(sums, [1, 2], 2, row),
            (Steps::Between, Some(_)) => between(sums, [8, 7], 4, row),
        }
    }
}

/// Writes each sum so many times, with something added and shifted.
fn repeat(sums: &[u16], times: usize, [add, shift]: [u16; 2], row: &mut [u8]) {
    for (values, sum) in row.chunks_mut(times).zip(sums) {
        values.fill(byte(sum + add, shift));
    }
}

/// Writes two values for each sum, between it and its neighbours.
fn between(sums: &[u16], add: [u16; 2], shift: u16, row: &mut [u8]) {
    for (at, values) in row.chunks_mut(2).enumerate() {
        let (before, after) = (at.saturating_sub(1), (at + 1).min(sums.len() - 1));
        for ((value, beside), add) in values.iter_mut().zip([before, after]).zip(add) {
            *value = byte(sums[at] * 3 + sums[beside] + add, shift);
        }
    }
}

/// A sum of weights that make 2 to the power of `shift` together.
fn byte(sum: u16, shift: u16) -> u8 {
    u8::try_from(sum >> shift).unwrap_or(u8::MAX)
}

/// The pixels of all channels: red, green and blue, or inks.
pub(super) fn pixels(
    planes: &[Plane],
    [width, height]: [usize; 2],
    space: ColorSpace,
) -> Result<Vec<u8>, DecodeError> {
    let channels = planes.len();
    let is_converted = match (space, channels) {
        (ColorSpace::Rgb, 3) | (ColorSpace::Cmyk, 4) => false,
        (ColorSpace::YCbCr, 3) | (ColorSpace::Ycck, 4) => true,
        _ => return Err(unsupported("colours of another kind than YCbCr, RGB, CMYK or YCCK")),
    };
    let mut pixels = vec![0; width * height * channels];
    let mut rows = vec![vec![0; width]; channels];
    let mut sums = Vec::with_capacity(width);
    for (y, line) in pixels.chunks_exact_mut(width * channels).enumerate() {
        for (channel, (plane, row)) in planes.iter().zip(&mut rows).enumerate() {
            plane.read_row(y, &mut sums, row);
            let values = line[channel..].iter_mut().step_by(channels);
            values.zip(row.iter()).for_each(|(value, sample)| *value = *sample);
        }
        if is_converted {
            line.chunks_exact_mut(channels).for_each(convert);
        }
    }
    Ok(pixels)
}

/// Turns YCbCr into RGB, and YCCK into CMYK, as which its colours are inverted.
fn convert(pixel: &mut [u8]) {
    match pixel {
        [y, cb, cr] => [*y, *cb, *cr] = rgb(*y, *cb, *cr),
        [y, cb, cr, _] => [*y, *cb, *cr] = rgb(*y, *cb, *cr).map(|value| !value),
        _ => {}
    }
}

/// JFIF's colours, in libjpeg's fixed point: weights times 2^16.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let clip = |value: i32| u8::try_from(value.clamp(0, 255)).unwrap_or_default();
    [
        clip(y + ((91_881 * cr + 32_768) >> 16)),
        clip(y + ((-46_802 * cr - 22_554 * cb + 32_768) >> 16)),
        clip(y + ((116_130 * cb + 32_768) >> 16)),
    ]
}
