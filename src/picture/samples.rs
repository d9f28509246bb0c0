//! A decoded picture.

use std::borrow::Cow;

use image::metadata::Orientation;
use image::{GrayImage, RgbImage, imageops};

use super::Colour;
use super::colour::luma;

/// A decoded picture, upright, of 8 bits a channel.
///
/// A grey upload stays grey: its one channel is not tripled until a tower wants three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture(pub(super) Samples);

/// The channels that a picture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    /// One byte a pixel.
    Grey(GrayImage),
    /// Red, green, blue.
    Rgb(RgbImage),
}

impl Picture {
    /// Columns, at least 1.
    pub fn width(&self) -> u32 {
        match &self.0 {
            Samples::Grey(image) => image.width(),
            Samples::Rgb(image) => image.width(),
        }
    }

    /// Rows, at least 1.
    pub fn height(&self) -> u32 {
        match &self.0 {
            Samples::Grey(image) => image.height(),
            Samples::Rgb(image) => image.height(),
        }
    }

    /// Its bytes in `colour`, row by row, the channels of a pixel side by side.
    pub(super) fn bytes_in(&self, colour: Colour) -> Cow<'_, [u8]> {
        match (&self.0, colour) {
            (Samples::Grey(image), Colour::Grey) => Cow::Borrowed(image.as_raw()),
            (Samples::Rgb(image), Colour::Rgb) => Cow::Borrowed(image.as_raw()),
            (Samples::Grey(image), Colour::Rgb) => {
                Cow::Owned(image.as_raw().iter().flat_map(|it| [*it; 3]).collect())
            }
            (Samples::Rgb(image), Colour::Grey) => {
                let (pixels, _) = image.as_raw().as_chunks::<3>();
                Cow::Owned(pixels.iter().copied().map(luma).collect())
            }
        }
    }

    /// Turns it upright, as its camera says it was held.
    pub(super) fn upright(self, orientation: Orientation) -> Self {
        match self.0 {
            Samples::Grey(image) => Self(Samples::Grey(turn(image, orientation))),
            Samples::Rgb(image) => Self(Samples::Rgb(turn(image, orientation))),
        }
    }
}

/// Undoes an orientation, in place where the sides stay as they are.
fn turn<P: image::Pixel + 'static>(
    mut image: image::ImageBuffer<P, Vec<P::Subpixel>>,
    orientation: Orientation,
) -> image::ImageBuffer<P, Vec<P::Subpixel>> {
    match orientation {
        Orientation::NoTransforms => {}
        Orientation::FlipHorizontal => imageops::flip_horizontal_in_place(&mut image),
        Orientation::FlipVertical => imageops::flip_vertical_in_place(&mut image),
        Orientation::Rotate180 => imageops::rotate180_in_place(&mut image),
        Orientation::Rotate90 => return imageops::rotate90(&image),
        Orientation::Rotate270 => return imageops::rotate270(&image),
        Orientation::Rotate90FlipH => {
            image = imageops::rotate90(&image);
            imageops::flip_horizontal_in_place(&mut image);
        }
        Orientation::Rotate270FlipH => {
            image = imageops::rotate270(&image);
            imageops::flip_horizontal_in_place(&mut image);
        }
    }
    image
}
