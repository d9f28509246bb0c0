//! The kinds of alignment, and what a client asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which alignment of two photographs is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Align {
    /// The simplest kind that explains the images.
    #[default]
    Auto,
    /// None: each pixel is compared with the one at its place.
    None,
    /// A shift, or an error if there is no clear one.
    Shift,
    /// An affine transform, or an error if there is no clear one.
    Affine,
}

/// How a photograph is aligned with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AlignmentKind {
    /// It is not moved.
    None,
    /// It is shifted along its sides.
    Shift,
    /// It is shifted, turned, scaled and sheared.
    Affine,
}

/// A word that is not an [`Align`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an alignment is auto, none, shift or affine")]
pub struct UnknownAlign;

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Shift => "shift",
            Self::Affine => "affine",
        })
    }
}

impl FromStr for Align {
    type Err = UnknownAlign;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "shift" => Ok(Self::Shift),
            "affine" => Ok(Self::Affine),
            _ => Err(UnknownAlign),
        }
    }
}

impl fmt::Display for AlignmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Shift => "shift",
            Self::Affine => "affine",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_alignments_are_one_to_one() {
        for align in [Align::Auto, Align::None, Align::Shift, Align::Affine] {
            assert_eq!(align.to_string().parse(), Ok(align));
        }
        assert_eq!("Shift".parse::<Align>(), Err(UnknownAlign));
    }
}
