//! A decoded picture.

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

    /// How many planes it has in `colour`: a grey picture has but one, also where three are wanted.
    pub(super) fn planes(&self, colour: Colour) -> usize {
        match self.0 {
            Samples::Grey(_) => 1,
            Samples::Rgb(_) => colour.channels(),
        }
    }

    /// Reads a row into as many planes as it [has](Self::planes), each as long as it is wide.
    pub(super) fn read_row(&self, row: usize, planes: &mut [Vec<u8>]) {
        let width = self.width() as usize;
        match (&self.0, planes) {
            (Samples::Grey(image), [grey]) => {
                grey.copy_from_slice(&image.as_raw()[row * width..][..width]);
            }
            (Samples::Rgb(image), [grey]) => {
                let (pixels, _) = image.as_raw()[row * width * 3..][..width * 3].as_chunks();
                for (byte, pixel) in grey.iter_mut().zip(pixels) {
                    *byte = luma(*pixel);
                }
            }
            (Samples::Rgb(image), [red, green, blue]) => {
                let (pixels, _) = image.as_raw()[row * width * 3..][..width * 3].as_chunks::<3>();
                let planes = red.iter_mut().zip(green).zip(blue);
                for (((red, green), blue), pixel) in planes.zip(pixels) {
                    [*red, *green, *blue] = *pixel;
                }
            }
            (_, planes) => unreachable!("a picture has one plane or three, not {}", planes.len()),
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
