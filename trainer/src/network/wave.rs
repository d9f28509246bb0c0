//! One wave along one axis, as numbers: two of them make a Gabor wavelet.

use crate::data::vary::grid::single;

/// A wave under a Gaussian along one axis.
pub(super) struct Wave {
    /// In radians a pixel.
    pub(super) frequency: f32,
    /// The Gaussian's, in pixels.
    pub(super) deviation: f32,
    /// Whether a bit of the Gaussian is taken off the real part, so that it has none of an even
    /// grey.
    pub(super) is_balanced: bool,
    /// How many pixels there are.
    pub(super) side: usize,
    /// Every so many pixels it is read.
    pub(super) stride: usize,
}

impl Wave {
    /// The largest radius, in pixels.
    const RADIUS: f32 = 15.0;

    /// `[places read, side]`, the real and the imaginary part, whose squares add up to 1 in each
    /// row. Places lie evenly about the middle; beyond the border the outermost pixel stands.
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
