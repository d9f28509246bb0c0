//! A decoded image.

use image::metadata::Orientation;
use image::{GrayImage, RgbImage, imageops};

use super::Colour;
use super::area::Area;
use super::colour::luma;
use super::fit::Size;
use super::side::Side;

/// A decoded image of 8 bits per channel.
///
/// A grey upload stays grey: its channel is not repeated until a model needs three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    samples: Samples,
    columns: Side,
    rows: Side,
    /// The area of a larger image that it is, and the size of that image; `None` if it is whole.
    part: Option<(Area, Size)>,
}

/// The samples of an image, by channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    /// One byte for each sample.
    Grey(GrayImage),
    /// Red, green, blue.
    Rgb(RgbImage),
}

impl Image {
    /// Takes samples that represent one pixel each.
    pub(super) fn new(samples: Samples) -> Self {
        let [columns, rows] = samples.size().map(Side::whole);
        Self { samples, columns, rows, part: None }
    }

    /// Takes an image of `width` by `height` pixels that the decoder has halved `halvings` times.
    ///
    /// # Panics
    ///
    /// If the number of samples does not match.
    pub(super) fn halved(samples: Samples, size: Size, halvings: u32) -> Self {
        let [columns, rows] = [size.width, size.height].map(|side| Side::halved(side, halvings));
        assert_eq!(
            samples.size(),
            [columns, rows].map(Side::samples),
            "the samples match the halvings"
        );
        Self { samples, columns, rows, part: None }
    }

    /// The same, as an area of a larger image. Both are as stored.
    pub(super) fn part_of(self, area: Area, whole: Size) -> Self {
        Self { part: Some((area, whole)), ..self }
    }

    /// The area of the whole image that it is, and the size of the whole image.
    pub(super) fn part(&self) -> (Area, Size) {
        self.part.unwrap_or((Area::whole(self.size()), self.size()))
    }

    /// How many times a decoder has halved the sides.
    pub(super) fn halvings(&self) -> u32 {
        self.columns.halvings()
    }

    /// The samples alone.
    pub(super) fn into_samples(self) -> Samples {
        self.samples
    }

    /// The bytes of the samples, row by row.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.samples {
            Samples::Grey(image) => image.as_raw(),
            Samples::Rgb(image) => image.as_raw(),
        }
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

    /// The number of planes in `colour`: a grey image has one even if the model needs three.
    pub(super) fn planes(&self, colour: Colour) -> usize {
        match self.samples {
            Samples::Grey(_) => 1,
            Samples::Rgb(_) => colour.channels(),
        }
    }

    /// Reads a row from a column on into as many planes as the image [has](Self::planes). All are equally long.
    #[inline(always)]
    pub(super) fn read_row<'a>(
        &self,
        row: usize,
        column: usize,
        mut planes: impl Iterator<Item = &'a mut [u8]>,
    ) {
        let start = row * self.columns.samples() as usize + column;
        match (&self.samples, planes.next(), planes.next(), planes.next()) {
            (Samples::Grey(image), Some(grey), None, None) => {
                let width = grey.len();
                grey.copy_from_slice(&image.as_raw()[start..][..width]);
            }
            (Samples::Rgb(image), Some(grey), None, None) => {
                let (pixels, _) = image.as_raw()[start * 3..].as_chunks();
                for (byte, pixel) in grey.iter_mut().zip(pixels) {
                    *byte = luma(*pixel);
                }
            }
            (Samples::Rgb(image), Some(red), Some(green), Some(blue)) => {
                let (pixels, _) = image.as_raw()[start * 3..].as_chunks::<3>();
                let planes = red.iter_mut().zip(green).zip(blue);
                for (((red, green), blue), pixel) in planes.zip(pixels) {
                    [*red, *green, *blue] = *pixel;
                }
            }
            _ => unreachable!("an image has one plane or three"),
        }
    }

    /// Turns the image upright by its EXIF orientation.
    pub(super) fn upright(self, orientation: Orientation) -> Self {
        let Self { samples, columns, rows, part } = self;
        let part =
            part.map(|(area, whole)| (area.turned(whole, orientation), whole.upright(orientation)));
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
        Self { samples, columns, rows, part }
    }
}

impl Samples {
    /// Takes bytes, row by row: one or three for each pixel. `None` if there are no pixels, or another number of bytes.
    pub(super) fn of_bytes(bytes: Vec<u8>, Size { width, height }: Size) -> Option<Self> {
        let pixels = width as usize * height as usize;
        match bytes.len() {
            0 => None,
            length if length == pixels => GrayImage::from_raw(width, height, bytes).map(Self::Grey),
            length if length == 3 * pixels => {
                RgbImage::from_raw(width, height, bytes).map(Self::Rgb)
            }
            _ => None,
        }
    }

    /// Takes planes of one size: one, or red, green and blue.
    ///
    /// # Panics
    ///
    /// If the number of bytes does not match.
    pub(super) fn of_planes(planes: Vec<u8>, size: Size) -> Self {
        let area = size.width as usize * size.height as usize;
        let bytes = if planes.len() == area {
            planes
        } else {
            let pixel = |index| [planes[index], planes[area + index], planes[2 * area + index]];
            (0..area).flat_map(pixel).collect()
        };
        Self::of_bytes(bytes, size).expect("one plane or three of this size")
    }

    /// Columns and rows.
    fn size(&self) -> [u32; 2] {
        let (width, height) = match self {
            Self::Grey(image) => image.dimensions(),
            Self::Rgb(image) => image.dimensions(),
        };
        [width, height]
    }
}

/// Turns an image upright, in place if the sides are not exchanged.
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
