//! JPEG, to the bit as libjpeg-turbo decodes it.
//!
//! Towers are trained on what libjpeg-turbo makes of a JPEG, in Pillow and torchvision
//! alike. The decoder of `image` brings chroma to full size differently: by up to 21 of 255.

use image::error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{GrayImage, ImageError, ImageFormat, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::decode::no_pixels;
use super::samples::Samples;
use super::{Limits, Picture, PictureError};

/// The most scans of a progressive JPEG: encoders write about ten, and each costs a whole pass.
const MAX_SCANS: usize = 100;

/// Decodes a JPEG of one, three or four components.
pub(super) fn decode(upload: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    let decoder_limits = DecodeLimits {
        max_pixels: limits.max_pixels,
        max_scans: MAX_SCANS,
        max_memory: Some(limits.max_memory),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(upload, decoder_limits).map_err(refusal)?;
    if decoder.header().width == 0 || decoder.header().height == 0 {
        return Err(no_pixels(ImageFormat::Jpeg));
    }
    let format = match decoder.header().components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        _ => return Err(unsupported("components")),
    };
    decoder.set_output_format(format);
    let image = decoder.decode_image().map_err(refusal)?;

    let orientation = decoder
        .exif_data()
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    let (width, height) = (u32::from(decoder.header().width), u32::from(decoder.header().height));
    let samples = match format {
        PixelFormat::Grayscale => GrayImage::from_raw(width, height, image.data).map(Samples::Grey),
        PixelFormat::Rgb => RgbImage::from_raw(width, height, image.data).map(Samples::Rgb),
        _ => RgbImage::from_raw(width, height, rgb(&image.data)).map(Samples::Rgb),
    };
    let samples = samples.ok_or_else(|| unsupported("the size of the output"))?;
    Ok(Picture(samples).upright(orientation))
}

/// Turns CMYK, stored inverted as Adobe does, into RGB as Pillow does.
fn rgb(inverted_cmyk: &[u8]) -> Vec<u8> {
    let (pixels, _) = inverted_cmyk.as_chunks::<4>();
    pixels
        .iter()
        .flat_map(|[colours @ .., white]| {
            colours.map(|colour| white.saturating_sub(scaled(255 - colour, *white)))
        })
        .collect()
}

/// `a * b / 255`, rounded.
fn scaled(a: u8, b: u8) -> u8 {
    let product = u16::from(a) * u16::from(b) + 128;
    let [byte, _] = (product + (product >> 8)).to_be_bytes();
    byte
}

/// Sorts the decoder's errors by whose fault they are.
fn refusal(error: JpegError) -> PictureError {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => {
            PictureError::TooLarge
        }
        JpegError::UnexpectedEof => PictureError::CutShort,
        JpegError::Unsupported(_) => unsupported("coding"),
        other => {
            let hint = ImageFormatHint::Exact(ImageFormat::Jpeg);
            PictureError::Corrupt(ImageError::Decoding(DecodingError::new(hint, other)))
        }
    }
}

fn unsupported(feature: &str) -> PictureError {
    let hint = ImageFormatHint::Exact(ImageFormat::Jpeg);
    let kind = UnsupportedErrorKind::GenericFeature(feature.to_owned());
    let error = UnsupportedError::from_format_and_kind(hint, kind);
    PictureError::Unsupported(ImageError::Unsupported(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_takes_light_away() {
        // Inverted: 255 is no ink.
        assert_eq!(rgb(&[255, 255, 255, 255]), [255, 255, 255]);
        assert_eq!(rgb(&[255, 255, 255, 0]), [0, 0, 0]);
        assert_eq!(rgb(&[0, 255, 255, 255]), [0, 255, 255]);
        assert_eq!(rgb(&[128, 64, 0, 200]), [100, 50, 0]);
    }

    #[test]
    fn products_are_rounded() {
        assert_eq!(
            [(255, 255), (127, 200), (1, 127), (1, 128)].map(|(a, b)| scaled(a, b)),
            [255, 100, 0, 1]
        );
    }
}
