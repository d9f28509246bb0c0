//! Decodes an upload to an image, within limits.

mod bmp;
mod estimate;
mod gif;
mod guard;
mod heif;
pub(super) mod jpeg;
mod orientation;
mod tiff;
mod webp;

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use serde::{Deserialize, Serialize};

use super::fit::Target;
use super::samples::{Image, Samples};
use super::{DecodeError, Detail, Diagnosis};

pub use estimate::Estimate;
pub use guard::catches;
pub(crate) use guard::guard;
pub(super) use jpeg::serves_both;

/// The longest side of an image, whatever its area: the longest that JPEG can express.
///
/// Resizing needs an intermediate image as long as the upload, so the area is not a sufficient limit.
const MAX_SIDE: u32 = 65_535;

/// The bytes that PNG's decoder may inflate in addition to the pixels, mainly a colour profile. It does not count them
/// itself.
const PNG_EXTRA: u64 = 4 << 20;

/// The most that decoding one upload may cost. Both values are checked against the header, before decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Width times height, in pixels.
    pub max_pixels: u64,
    /// The decoder's output and its other buffers, in bytes.
    pub max_memory: u64,
}

impl Default for Limits {
    /// 50 megapixels, the largest images that phones take by default, and 512 MiB.
    fn default() -> Self {
        Self { max_pixels: 50_000_000, max_memory: 512 << 20 }
    }
}

/// What an image is decoded for. A decoder may omit what does not affect it.
#[derive(Clone, Copy)]
pub(super) enum Goal<'a> {
    /// A model's input.
    Input(&'a Target),
    /// A photograph.
    Photograph(Detail),
}

/// Decodes an upload and turns it upright.
///
/// The first bytes determine the format. Alpha is dropped and 16 bits become 8, as in Pillow's `convert` for colour.
pub(super) fn decode(upload: &[u8], limits: &Limits, goal: Goal) -> Result<Image, DecodeError> {
    if upload.is_empty() {
        return Err(DecodeError::Empty);
    }
    match format(upload) {
        Some(ImageFormat::Jpeg) => jpeg::decode(upload, limits, goal),
        Some(ImageFormat::Gif) => gif::decode(upload, limits),
        Some(ImageFormat::Tiff) => {
            let image = tiff::decode(upload, limits)?;
            Ok(image.upright(orientation::of(upload, ImageFormat::Tiff)))
        }
        Some(format) => decode_as(format, upload, limits),
        None => match heif::Kind::of(upload) {
            Some(kind) => heif::decode(kind, upload, limits),
            None => Err(DecodeError::UnknownFormat),
        },
    }
}

/// The format that the first bytes indicate, if it is supported.
fn format(upload: &[u8]) -> Option<ImageFormat> {
    if tiff::is_tiff(upload) {
        return Some(ImageFormat::Tiff);
    }
    image::guess_format(upload).ok().filter(|format| {
        matches!(
            format,
            ImageFormat::Bmp
                | ImageFormat::Gif
                | ImageFormat::Jpeg
                | ImageFormat::Png
                | ImageFormat::Pnm
                | ImageFormat::WebP
        )
    })
}

/// Decodes with the decoders of the crate `image`.
fn decode_as(format: ImageFormat, upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let mut decoder_limits = image::Limits::no_limits();
    decoder_limits.max_image_width = Some(MAX_SIDE);
    decoder_limits.max_image_height = Some(MAX_SIDE);
    decoder_limits.max_alloc = Some(limits.max_memory);

    match format {
        ImageFormat::Png => {
            let most = PNG_EXTRA.saturating_add(upload.len() as u64).min(limits.max_memory);
            decoder_limits.max_alloc = Some(most);
        }
        ImageFormat::WebP => webp::check(upload, limits)?,
        _ => {}
    }
    let read = if format == ImageFormat::Bmp { bmp::repaired(upload) } else { upload.into() };
    let mut reader = ImageReader::with_format(Cursor::new(&read[..]), format);
    reader.limits(decoder_limits);
    let decoder = reader.into_decoder()?;
    check(&decoder, format, limits)?;
    let image = DynamicImage::from_decoder(decoder)?;
    Ok(Image::new(samples(image, format)?).upright(orientation::of(upload, format)))
}

/// Refuses an image that exceeds the limits, by its header alone.
fn check(
    decoder: &impl ImageDecoder,
    format: ImageFormat,
    limits: &Limits,
) -> Result<(), DecodeError> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let output = decoder.total_bytes();
    let colour = decoder.color_type();
    let extra = match format {
        // Lossy WebP needs its planes in addition to its output; an animated one needs a canvas of four channels.
        ImageFormat::WebP => pixels.saturating_mul(6),
        // Samples of 16 bits are converted to 8 bits in a second buffer.
        _ if 1 < colour.bytes_per_pixel() / colour.channel_count() => output / 2,
        _ => 0,
    };
    let memory = output.saturating_add(extra);
    if pixels == 0 {
        return Err(no_pixels());
    }
    if limits.max_pixels < pixels || limits.max_memory < memory {
        return Err(DecodeError::TooLarge);
    }
    Ok(())
}

/// An image with a side of 0 has no pixels.
fn no_pixels() -> DecodeError {
    DecodeError::Corrupt(Diagnosis::new("a side of 0"))
}

/// Converts a decoder's output to 8 bits of grey or RGB.
fn samples(image: DynamicImage, format: ImageFormat) -> Result<Samples, DecodeError> {
    let to_byte = match format {
        ImageFormat::Pnm => nearest_byte,
        _ => high_byte,
    };
    let (width, height) = (image.width(), image.height());
    let grey = |bytes| {
        let image = image::GrayImage::from_raw(width, height, bytes);
        Samples::Grey(image.expect("one byte for each pixel"))
    };
    let rgb = |bytes| {
        let image = image::RgbImage::from_raw(width, height, bytes);
        Samples::Rgb(image.expect("three bytes for each pixel"))
    };
    Ok(match image {
        DynamicImage::ImageLuma8(image) => Samples::Grey(image),
        DynamicImage::ImageRgb8(image) => Samples::Rgb(image),
        DynamicImage::ImageLumaA8(image) => grey(without_alpha::<2>(image.into_raw())),
        DynamicImage::ImageRgba8(image) => rgb(without_alpha::<4>(image.into_raw())),
        DynamicImage::ImageLuma16(image) => grey(bytes(&image.into_raw(), to_byte)),
        DynamicImage::ImageRgb16(image) => rgb(bytes(&image.into_raw(), to_byte)),
        DynamicImage::ImageLumaA16(image) => {
            grey(without_alpha::<2>(bytes(&image.into_raw(), to_byte)))
        }
        DynamicImage::ImageRgba16(image) => {
            rgb(without_alpha::<4>(bytes(&image.into_raw(), to_byte)))
        }
        other => return Err(unsupported(other.color())),
    })
}

/// Floating-point images have no agreed range, so any conversion to 8 bits would be a guess.
fn unsupported(colour: ColorType) -> DecodeError {
    DecodeError::Unsupported(Diagnosis::new(format_args!("samples of {colour:?}")))
}

/// Drops the last of `N` channels.
fn without_alpha<const N: usize>(mut bytes: Vec<u8>) -> Vec<u8> {
    let pixels = bytes.len() / N;
    for pixel in 0..pixels {
        bytes.copy_within(pixel * N..pixel * N + N - 1, pixel * (N - 1));
    }
    bytes.truncate(pixels * (N - 1));
    bytes
}

/// Converts 16 bits to 8.
fn bytes(samples: &[u16], to_byte: fn(u16) -> u8) -> Vec<u8> {
    samples.iter().map(|sample| to_byte(*sample)).collect()
}

/// The upper eight bits, as Pillow reads PNG of 16 bits per channel.
fn high_byte(sample: u16) -> u8 {
    sample.to_be_bytes()[0]
}

/// The nearest of 256 levels, as Pillow reads PNM of 16 bits per channel.
fn nearest_byte(sample: u16) -> u8 {
    let [.., byte] = ((u32::from(sample) * 255 + 32_767) / 65_535).to_be_bytes();
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_become_eight() {
        for (sample, high, nearest) in
            [(0, 0, 0), (255, 0, 1), (256, 1, 1), (32_768, 128, 128), (65_535, 255, 255)]
        {
            assert_eq!((high_byte(sample), nearest_byte(sample)), (high, nearest), "{sample}");
        }
    }

    #[test]
    fn alpha_is_dropped() {
        assert_eq!(without_alpha::<4>(vec![1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 5, 6, 7]);
        assert_eq!(without_alpha::<2>(vec![1, 2, 3, 4]), [1, 3]);
    }
}
