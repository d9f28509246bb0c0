//! A shift between the images of a pair, as if the camera had moved.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siamese_core::preprocessing::{Colour, Photograph};

use super::area::Area;

/// A shift of the first image of each pair, as if the camera had moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// How far, in pixels of the photographs.
    pub pixels: u32,
    /// The seed of the directions.
    pub seed: u64,
}

/// The shortest side of a shifted image, in pixels.
const SHORTEST: u32 = 16;

impl Shift {
    /// Cuts both images of the pair with this index. They lose a margin as wide as the shift, so that the shifted one
    /// needs no pixels beyond its edges. Returns `None` if less than [`SHORTEST`] pixels of a side would be left.
    pub(super) fn cut(
        self,
        pair: usize,
        [before, after]: &[Photograph; 2],
        area: Area,
    ) -> Option<([Photograph; 2], Area)> {
        let margin = self.pixels;
        let sides = [before.size(), after.size()];
        let shortest = sides.as_flattened().iter().min()?;
        if shortest.saturating_sub(margin.saturating_mul(2)) < SHORTEST {
            return None;
        }
        let area = area.cut(margin, after.size());
        Some(([cut(before, margin, self.of_pair(pair)), cut(after, margin, [0.0; 2])], area))
    }

    /// Columns and rows, in a random direction.
    fn of_pair(self, pair: usize) -> [f64; 2] {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(pair.try_into().unwrap_or(u64::MAX));
        let (sine, cosine) = (TAU * random.random::<f64>()).sin_cos();
        [cosine, sine].map(|part| (f64::from(self.pixels) * part).round())
    }
}

/// The part of a photograph without a margin, shifted by whole pixels of at most the margin.
fn cut(image: &Photograph, margin: u32, shift: [f64; 2]) -> Photograph {
    let start = shift.map(|shift| f64::from(margin) + shift);
    let size = image.size().map(|side| side - 2 * margin);
    let planes = image.rectangle(start, size.map(f64::from), size, Colour::Rgb);
    Photograph::of_planes(planes, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves() -> Photograph {
        let planes = (0..40 * 30_u32).map(|pixel| u8::try_from(pixel * 37 % 251).expect("a byte"));
        Photograph::of_planes(planes.collect(), [40, 30])
    }

    #[test]
    fn the_first_image_is_shifted_against_the_second() {
        let shift = Shift { pixels: 3, seed: 0 };
        let images = [waves(), waves()];
        let area = Area::Boxes(Vec::new());
        let ([before, after], _) = shift.cut(5, &images, area).expect("large images");
        assert_eq!((before.size(), after.size()), ([34, 24], [34, 24]));
        let [across, down] = shift.of_pair(5);
        assert!((across.hypot(down) - 3.0).abs() < 0.8, "{across} {down}");
        // A pixel in the middle of the second image is elsewhere in the first.
        let at = |image: &Photograph, x: f64, y: f64| {
            image.rectangle([x, y], [1.0; 2], [1; 2], Colour::Grey)
        };
        assert_eq!(at(&before, 15.0 - across, 12.0 - down), at(&after, 15.0, 12.0));
        assert!((shift.of_pair(5)[0] - shift.of_pair(6)[0]).abs() > 1e-9);
    }

    #[test]
    fn a_small_image_is_not_shifted() {
        let shift = Shift { pixels: 8, seed: 0 };
        assert!(shift.cut(0, &[waves(), waves()], Area::Boxes(Vec::new())).is_none());
    }
}
