//! How far a JPEG may be reduced while it is decoded.

use serde::{Deserialize, Serialize};

/// The fewest samples that a decode may keep, along each side, for one pixel of a model's input.
///
/// A JPEG can be decoded at a quarter or an eighth of its size, in half of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Reduction {
    /// Every JPEG is decoded in full, so its pixels are those of Pillow to the bit.
    Never,
    /// As many samples as change hardly any pixel, in grey: 6.5. Colours are decoded in full.
    #[default]
    Invisible,
    /// As many samples as were measured to be enough for a model; positive.
    Measured(f32),
}

impl Reduction {
    /// The samples that change hardly any pixel of a grey input.
    ///
    /// On photographs, one pixel in 24,000 then differed by 2/255 (of 650,000 pixels), and all others by at most 1/255.
    /// From 7.5 on, no pixel differed by more than 1/255. With four samples, one in 150 differed, by up to 4/255.
    const INVISIBLE: f32 = 6.5;

    /// How many times the sides of an image are halved of which `shrinks` pixels become one pixel of the input: 0, 2 or 3.
    ///
    /// Halving once is as slow as a full decode.
    pub(super) fn halvings(self, shrinks: f32, is_grey: bool) -> u32 {
        let enough = match self {
            Self::Never => return 0,
            // A full decode clips each pixel, so a saturated area becomes paler than its mean, by up to 5/255, however
            // many pixels form one. For grey the difference is within the bound.
            Self::Invisible if !is_grey => return 0,
            Self::Invisible => Self::INVISIBLE,
            Self::Measured(samples) if is_grey => samples.min(Self::INVISIBLE),
            Self::Measured(samples) => samples,
        };
        match shrinks {
            shrinks if 8.0 * enough <= shrinks => 3,
            shrinks if 4.0 * enough <= shrinks => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_halved_while_enough_samples_are_left() {
        for (reduction, shrinks, grey, colour) in [
            (Reduction::Never, 1_000.0, 0, 0),
            (Reduction::Invisible, 25.9, 0, 0),
            (Reduction::Invisible, 26.0, 2, 0),
            (Reduction::Invisible, 52.0, 3, 0),
            (Reduction::Measured(2.0), 7.9, 0, 0),
            (Reduction::Measured(2.0), 8.0, 2, 2),
            (Reduction::Measured(2.0), 16.0, 3, 3),
            (Reduction::Measured(9.0), 52.0, 3, 2),
        ] {
            let halvings = [true, false].map(|is_grey| reduction.halvings(shrinks, is_grey));
            assert_eq!(halvings, [grey, colour], "{reduction:?} of {shrinks}");
        }
    }
}
