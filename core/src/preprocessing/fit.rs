//! How an image is fitted to the shape of a model's input.

use std::fmt;
use std::str::FromStr;

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Colour, Reduction};

/// How an image is fitted to the shape of a model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Each side is scaled separately, which changes the proportions.
    Stretch,
    /// The whole image in its proportions, centred on black.
    Pad,
    /// The largest centred part with the proportions of the input.
    Crop,
}

/// A word that is not a [`Fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fit is stretch, pad or crop")]
pub struct UnknownFit;

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stretch => "stretch",
            Self::Pad => "pad",
            Self::Crop => "crop",
        })
    }
}

impl FromStr for Fit {
    type Err = UnknownFit;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "stretch" => Ok(Self::Stretch),
            "pad" => Ok(Self::Pad),
            "crop" => Ok(Self::Crop),
            _ => Err(UnknownFit),
        }
    }
}

/// Columns and rows, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    /// The size after the image is turned upright.
    pub(super) fn upright(self, orientation: Orientation) -> Self {
        match orientation {
            Orientation::NoTransforms
            | Orientation::FlipHorizontal
            | Orientation::FlipVertical
            | Orientation::Rotate180 => self,
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => Self { width: self.height, height: self.width },
        }
    }
}

/// A part of an image: start and end of its columns and rows, in pixels and fractions of pixels.
///
/// In single precision, as in Pillow.
pub(super) struct Part {
    pub(super) columns: [f32; 2],
    pub(super) rows: [f32; 2],
}

impl Part {
    /// The whole of an image.
    pub(super) fn whole(size: Size) -> Self {
        Self { columns: all(size.width), rows: all(size.height) }
    }
}

/// The size, colour and fit that an image is converted to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) size: Size,
    pub(super) colour: Colour,
    pub(super) fit: Fit,
    /// How far a decoder may reduce an image before.
    pub(super) reduction: Reduction,
}

impl Target {
    /// The part of an upright image that is resized, and the size it is resized to.
    pub(super) fn resizing(&self, image: Size) -> (Part, Size) {
        let whole = Part::whole(image);
        match self.fit {
            Fit::Stretch => (whole, self.size),
            Fit::Crop => (largest_part(image, self.size), self.size),
            Fit::Pad => (whole, largest_inside(image, self.size)),
        }
    }

    /// The number of an upright image's pixels that become one pixel of the target, along the side where it is
    /// smaller.
    pub(super) fn shrinks(&self, image: Size) -> f32 {
        let (part, size) = self.resizing(image);
        let shrinks = |[from, to]: [f32; 2], side: u32| (to - from) / single(f64::from(side));
        shrinks(part.columns, size.width).min(shrinks(part.rows, size.height))
    }
}

/// The largest centred part with the proportions of `target`, as `ImageOps.fit` computes it.
fn largest_part(size: Size, target: Size) -> Part {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let ratio = f64::from(target.width) / f64::from(target.height);
    let (part_width, part_height) = if ratio < width / height {
        (ratio * height, height)
    } else {
        (width, (width / ratio).min(height))
    };
    let (left, top) = ((width - part_width) * 0.5, (height - part_height) * 0.5);
    Part {
        columns: [left, left + part_width].map(single),
        rows: [top, top + part_height].map(single),
    }
}

/// The whole of a side.
pub(super) fn all(side: u32) -> [f32; 2] {
    [0.0, single(f64::from(side))]
}

/// Converts to single precision.
fn single(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "as Pillow does")]
    let single = number as f32;
    single
}

/// The largest size with the proportions of `size` within `target`, as `ImageOps.contain` computes it, but at least
/// one pixel.
fn largest_inside(size: Size, target: Size) -> Size {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let (target_width, target_height) = (f64::from(target.width), f64::from(target.height));
    if target_width / target_height < width / height {
        Size { height: whole(height / width * target_width), ..target }
    } else {
        Size { width: whole(width / height * target_height), ..target }
    }
}

/// The nearest integer, at least 1. A half is rounded to the even neighbour, as in Python.
fn whole(side: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = side.round_ties_even() as u32;
    whole.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn halves_are_rounded_to_the_even_neighbour() {
        assert_eq!([0.0, 0.4, 0.5, 1.5, 2.5].map(whole), [1, 1, 1, 2, 2]);
    }

    #[test]
    fn a_padded_image_keeps_its_proportions() {
        assert_eq!(largest_inside(size(92, 112), size(100, 100)), size(82, 100));
        assert_eq!(largest_inside(size(200, 100), size(100, 100)), size(100, 50));
        assert_eq!(largest_inside(size(100, 100), size(64, 64)), size(64, 64));
        assert_eq!(largest_inside(size(1, 1000), size(64, 64)), size(1, 64));
    }

    #[test]
    fn the_side_that_shrinks_least_determines_the_factor() {
        for (fit, expected) in [(Fit::Stretch, 3.0), (Fit::Pad, 4.0), (Fit::Crop, 3.0)] {
            let target = Target {
                size: size(100, 100),
                colour: Colour::Grey,
                fit,
                reduction: Reduction::Never,
            };
            for image in [size(400, 300), size(300, 400)] {
                assert!((target.shrinks(image) - expected).abs() < 1e-6, "{fit} of {image:?}");
            }
        }
    }

    #[test]
    fn words_and_fits_are_one_to_one() {
        for fit in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            assert_eq!(fit.to_string().parse(), Ok(fit));
        }
        assert_eq!("squeeze".parse::<Fit>(), Err(UnknownFit));
    }
}
