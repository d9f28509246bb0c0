//! A decoded image.

use image::metadata::Orientation;
use image::{GrayImage, RgbImage, imageops};

use super::Colour;
use super::colour::luma;
use super::fit::Size;
use super::side::Side;

/// A decoded image of 8 bits a channel.
///
/// A grey upload stays grey: its one channel is not tripled until a model wants three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    samples: Samples,
    columns: Side,
    rows: Side,
}

/// The channels that an image has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    /// One byte a sample.
    Grey(GrayImage),
    /// Red, green, blue.
    Rgb(RgbImage),
}

impl Image {
    /// Takes samples that are a pixel each.
    pub(super) fn new(samples: Samples) -> Self {
        let [columns, rows] = samples.size().map(Side::whole);
        Self { samples, columns, rows }
    }

    /// Takes an image of `width` by `height` pixels that its decoder has halved so many times.
    ///
    /// # Panics
    ///
    /// If it has not as many samples as that makes.
    pub(super) fn halved(samples: Samples, size: Size, halvings: u32) -> Self {
        let [columns, rows] = [size.width, size.height].map(|it| Side::halved(it, halvings));
        assert_eq!(samples.size(), [columns, rows].map(Side::samples), "not halved as said");
        Self { samples, columns, rows }
    }

    /// From left to right.
    pub(super) fn columns(&self) -> Side {
        self.columns
    }

    /// From top to bottom.
    pub(super) fn rows(&self) -> Side {
        self.rows
    }

    /// Columns and rows of pixels.
    pub(super) fn size(&self) -> Size {
        Size { width: self.columns.pixels(), height: self.rows.pixels() }
    }

    /// How many planes it has in `colour`: a grey image has but one, also where three are wanted.
    pub(super) fn planes(&self, colour: Colour) -> usize {
        match self.samples {
            Samples::Grey(_) => 1,
            Samples::Rgb(_) => colour.channels(),
        }
    }

    /// Reads a row into as many planes as it [has](Self::planes), each at least as long as it is
    /// wide.
    #[inline(always)]
    pub(super) fn read_row(&self, row: usize, planes: &mut [Vec<u8>]) {
        let width = self.columns.samples() as usize;
        match (&self.samples, planes) {
            (Samples::Grey(image), [grey]) => {
                grey[..width].copy_from_slice(&image.as_raw()[row * width..][..width]);
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
            (_, planes) => unreachable!("an image has one plane or three, not {}", planes.len()),
        }
    }

    /// Turns it upright, as its camera says it was held.
    pub(super) fn upright(self, orientation: Orientation) -> Self {
        let Self { samples, columns, rows } = self;
        let samples = match samples {
            Samples::Grey(image) => Samples::Grey(turn(image, orientation)),
            Samples::Rgb(image) => Samples::Rgb(turn(image, orientation)),
        };
        let [columns, rows] = match orientation {
            Orientation::NoTransforms => [columns, rows],
            Orientation::FlipHorizontal => [columns.mirrored(), rows],
            Orientation::FlipVertical => [columns, rows.mirrored()],
            Orientation::Rotate180 => [columns.mirrored(), rows.mirrored()],
            Orientation::Rotate90 => [rows.mirrored(), columns],
            Orientation::Rotate270 => [rows, columns.mirrored()],
            Orientation::Rotate90FlipH => [rows, columns],
            Orientation::Rotate270FlipH => [rows.mirrored(), columns.mirrored()],
        };
        Self { samples, columns, rows }
    }
}

impl Samples {
    /// Columns and rows.
    fn size(&self) -> [u32; 2] {
        let (width, height) = match self {
            Self::Grey(image) => image.dimensions(),
            Self::Rgb(image) => image.dimensions(),
        };
        [width, height]
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
