//! A wave along one axis; two of them make a Gabor wavelet.

use crate::data::vary::grid::single;

/// A wave with a Gaussian envelope along one axis.
pub(super) struct Wave {
    /// The frequency in radians per pixel.
    pub(super) frequency: f32,
    /// The standard deviation of the envelope, in pixels.
    pub(super) deviation: f32,
    /// Whether the real part is corrected to have no response to uniform grey.
    pub(super) is_balanced: bool,
    /// The number of pixels.
    pub(super) side: usize,
    /// The sampling step, in pixels.
    pub(super) stride: usize,
}

impl Wave {
    /// The largest radius, in pixels.
    const RADIUS: f32 = 15.0;

    /// Returns the real and the imaginary part as matrices, `[samples, side]`. The squares of the envelope sum to 1 in each
    /// row. Samples are spread evenly around the centre. Beyond the border the outermost pixel is used.
    pub(super) fn matrix(&self) -> [Vec<f32>; 2] {
        let n_read = (self.side - 1) / self.stride + 1;
        let first = single((self.side - 1) - (n_read - 1) * self.stride) / 2.0;
        let radius = (2.5 * self.deviation).ceil().min(Self::RADIUS);
        let parts = [(); 2].map(|()| vec![0.0; n_read * self.side]);
        let [mut real, mut imaginary] = parts;
        for read in 0..n_read {
            let middle = first + single(read * self.stride);
            let taps = signed((middle - radius).ceil())..=signed((middle + radius).floor());
            let wave = |tap: isize| {
                let (sine, cosine) = (self.frequency * (position(tap) - middle)).sin_cos();
                (self.envelope(position(tap) - middle), cosine, sine)
            };
            let sums = taps.clone().map(wave).fold([0.0; 3], |[all, even, squares], it| {
                let (envelope, cosine, _) = it;
                [all + envelope, even + envelope * cosine, squares + envelope * envelope]
            });
            let [all, even, squares] = sums;
            let offset = if self.is_balanced { even / all } else { 0.0 };
            for tap in taps {
                let (envelope, cosine, sine) = wave(tap);
                let column = tap.clamp(0, signed(single(self.side - 1))).unsigned_abs();
                let at = read * self.side + column;
                real[at] += envelope * (cosine - offset) / squares.sqrt();
                imaginary[at] += envelope * sine / squares.sqrt();
            }
        }
        [real, imaginary]
    }

    fn envelope(&self, distance: f32) -> f32 {
        (-(distance / self.deviation).powi(2) / 2.0).exp()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few pixels beyond an image")]
fn signed(pixels: f32) -> isize {
    pixels as isize
}

#[expect(clippy::cast_precision_loss, reason = "a few pixels beyond an image")]
fn position(pixel: isize) -> f32 {
    pixel as f32
}
