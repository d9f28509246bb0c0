//! The colour channels of a model's input.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The colour channels of a model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel: the luma of ITU-R Rec. 601, as Pillow's `convert("L")`.
    Grey,
    /// Three channels: red, green, blue.
    Rgb,
    /// Three channels: blue, green, red, as `OpenCV` reads images.
    Bgr,
}

/// A word that is not a [`Colour`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a colour is grey, rgb or bgr")]
pub struct UnknownColour;

impl Colour {
    /// The number of channels: 1 or 3.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grey => "grey",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        })
    }
}

impl FromStr for Colour {
    type Err = UnknownColour;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "grey" => Ok(Self::Grey),
            "rgb" => Ok(Self::Rgb),
            "bgr" => Ok(Self::Bgr),
            _ => Err(UnknownColour),
        }
    }
}

/// The luma of Rec. 601 in Pillow's fixed-point arithmetic, identical to the bit.
///
/// 19595, 38470 and 7471 are 0.299, 0.587 and 0.114 times 2^16, and their sum is 2^16.
#[inline(always)]
pub(super) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000;
    #[expect(clippy::cast_possible_truncation, reason = "the weights sum to 2^16: at most 255")]
    let luma = (sum >> 16) as u8;
    luma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_luma_is_that_of_rec_601() {
        for (colour, expected) in [
            ([0, 0, 0], 0),
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([255, 255, 255], 255),
            ([1, 2, 3], 2),
        ] {
            assert_eq!(luma(colour), expected, "{colour:?}");
        }
    }

    #[test]
    fn grey_is_unchanged() {
        assert!((0..=255).all(|level| luma([level; 3]) == level));
    }

    #[test]
    fn words_and_colours_are_one_to_one() {
        for colour in [Colour::Grey, Colour::Rgb, Colour::Bgr] {
            assert_eq!(colour.to_string().parse(), Ok(colour));
        }
        assert_eq!("gray".parse::<Colour>(), Err(UnknownColour));
    }
}
