//! A side of an image: its pixels and the samples that hold them.

use std::ops::Range;

/// The number of pixels of a side, and the samples that hold them.
///
/// A sample is a pixel, or the mean of several pixels if a decoder has shrunk the image. All samples except those at
/// the ends cover the same number of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// The number of pixels in the original image.
    pixels: u32,
    /// A sample covers 2 to this power pixels.
    halvings: u32,
    /// The number of pixels by which the first sample extends beyond the image.
    lead: u32,
}

impl Side {
    /// A side where each sample is one pixel.
    pub(super) fn whole(pixels: u32) -> Self {
        Self::halved(pixels, 0)
    }

    /// A side that was halved `halvings` times. Its last sample may extend beyond the image.
    pub(super) fn halved(pixels: u32, halvings: u32) -> Self {
        Self { pixels, halvings, lead: 0 }
    }

    /// The same side, read from its other end.
    pub(super) fn mirrored(self) -> Self {
        let beyond = (self.samples() << self.halvings) - self.lead - self.pixels;
        Self { lead: beyond, ..self }
    }

    /// How many times it was halved.
    pub(super) fn halvings(self) -> u32 {
        self.halvings
    }

    /// The number of pixels.
    pub(super) fn pixels(self) -> u32 {
        self.pixels
    }

    /// The number of samples.
    pub(super) fn samples(self) -> u32 {
        (self.lead + self.pixels).div_ceil(1 << self.halvings)
    }

    /// The index of the sample that holds a pixel.
    pub(super) fn sample_of(self, pixel: usize) -> usize {
        (pixel + self.lead as usize) >> self.halvings
    }

    /// The samples that hold pixels, and if a sample holds several pixels, their two neighbours.
    pub(super) fn samples_around(self, pixels: Range<usize>) -> Range<usize> {
        let neighbours = usize::from(0 < self.halvings);
        let first = self.sample_of(pixels.start).saturating_sub(neighbours);
        let end = self.sample_of(pixels.end - 1) + 1 + neighbours;
        first..end.min(self.samples() as usize)
    }

    /// How far the centre of a pixel is from the centre of its sample, in samples: between -1/2 and 1/2.
    pub(super) fn place_in_sample(self, pixel: usize) -> f64 {
        let covered = 1_u32 << self.halvings;
        let place = (pixel + self.lead as usize) % covered as usize;
        let place = u32::try_from(place).expect("less than the number of pixels in a sample");
        (f64::from(place) + 0.5) / f64::from(covered) - 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sample_may_extend_beyond_the_image() {
        let side = Side::halved(17, 3);
        assert_eq!(side.samples(), 3);
        assert_eq!([0, 7, 8, 15, 16].map(|pixel| side.sample_of(pixel)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn a_mirrored_side_starts_with_the_sample_that_extends_beyond_the_image() {
        let side = Side::halved(17, 3).mirrored();
        assert_eq!((side.pixels(), side.samples()), (17, 3));
        assert_eq!([0, 1, 8, 9, 16].map(|pixel| side.sample_of(pixel)), [0, 1, 1, 2, 2]);
        assert_eq!(side.mirrored(), Side::halved(17, 3));
    }

    #[test]
    fn a_whole_side_has_one_sample_for_each_pixel() {
        let side = Side::whole(5);
        assert_eq!((side.samples(), side.sample_of(4)), (5, 4));
        assert_eq!(side.mirrored(), side);
    }
}
