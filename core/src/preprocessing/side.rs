//! A side of an image, and how it is held.

/// How many pixels a side has, and which of its samples holds each of them.
///
/// A sample is a pixel, or the mean of several where a decoder has shrunk the image. All but
/// the samples at the ends stand for equally many pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// How many pixels it has, however few samples hold them.
    pixels: u32,
    /// A sample stands for two to this power of pixels.
    halvings: u32,
    /// By how many pixels the first sample reaches beyond the image.
    lead: u32,
}

impl Side {
    /// A side of which each sample is a pixel.
    pub(super) fn whole(pixels: u32) -> Self {
        Self::halved(pixels, 0)
    }

    /// A side that was halved so many times: its last sample may reach beyond it.
    pub(super) fn halved(pixels: u32, halvings: u32) -> Self {
        Self { pixels, halvings, lead: 0 }
    }

    /// The same side from its other end.
    pub(super) fn mirrored(self) -> Self {
        let beyond = (self.samples() << self.halvings) - self.lead - self.pixels;
        Self { lead: beyond, ..self }
    }

    /// How many pixels it has.
    pub(super) fn pixels(self) -> u32 {
        self.pixels
    }

    /// How many samples it has.
    pub(super) fn samples(self) -> u32 {
        (self.lead + self.pixels).div_ceil(1 << self.halvings)
    }

    /// The sample that a pixel is in.
    pub(super) fn sample_of(self, pixel: usize) -> usize {
        (pixel + self.lead as usize) >> self.halvings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sample_may_reach_beyond_the_image() {
        let side = Side::halved(17, 3);
        assert_eq!(side.samples(), 3);
        assert_eq!([0, 7, 8, 15, 16].map(|it| side.sample_of(it)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn from_the_other_end_the_first_sample_reaches_beyond() {
        let side = Side::halved(17, 3).mirrored();
        assert_eq!((side.pixels(), side.samples()), (17, 3));
        assert_eq!([0, 1, 8, 9, 16].map(|it| side.sample_of(it)), [0, 1, 1, 2, 2]);
        assert_eq!(side.mirrored(), Side::halved(17, 3));
    }

    #[test]
    fn a_whole_side_has_a_sample_a_pixel() {
        let side = Side::whole(5);
        assert_eq!((side.samples(), side.sample_of(4)), (5, 4));
        assert_eq!(side.mirrored(), side);
    }
}
