//! Decodes JPEG with the same result as libjpeg-turbo, to the bit.
//!
//! Models are trained on images decoded by libjpeg-turbo, in Pillow and in torchvision. The decoder of the crate
//! `image` upsamples chroma differently, by up to 21 of 255. A large JPEG is decoded at a fraction of its size if the
//! result does not differ visibly.

use image::metadata::Orientation;
use image::{GrayImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, FrameHeader, JpegError, PixelFormat, ScalingFactor};

use super::{Limits, no_pixels};
use crate::preprocessing::fit::{Size, Target};
use crate::preprocessing::samples::{Image, Samples};
use crate::preprocessing::{Colour, DecodeError, Diagnosis};

/// The most scans of a progressive JPEG. Encoders write about ten, and each scan costs a whole pass.
const MAX_SCANS: usize = 100;

/// The fewest decoded samples, along each side, for one pixel of the target.
///
/// On photographs, one pixel in 24,000 then differed by 2/255 (of 650,000 pixels), and all others by at most 1/255.
/// From 7.5 on, no pixel differed by more than 1/255. With four samples, one in 150 differed, by up to 4/255. This
/// limit allows 12 megapixels to become 112 pixels a side.
const ENOUGH: f32 = 6.5;

/// Decodes a JPEG of one, three or four components, at a fraction of its size if that suffices for the target.
pub(super) fn decode(
    upload: &[u8],
    limits: &Limits,
    target: &Target,
) -> Result<Image, DecodeError> {
    let decoder_limits = DecodeLimits {
        max_pixels: limits.max_pixels,
        max_scans: MAX_SCANS,
        max_memory: Some(limits.max_memory),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(upload, decoder_limits).map_err(decode_error)?;
    let (width, height) = (u32::from(decoder.header().width), u32::from(decoder.header().height));
    if width == 0 || height == 0 {
        return Err(no_pixels());
    }
    let format = match decoder.header().components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        _ => return Err(unsupported("components")),
    };
    decoder.set_output_format(format);
    let orientation = decoder
        .exif_data()
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    let size = Size { width, height };
    let halvings = halvings(decoder.header(), size.upright(orientation), target);
    decoder.set_scale(ScalingFactor::try_new(1, 1 << halvings).map_err(decode_error)?);
    let image = decoder.decode_image().map_err(decode_error)?;

    let [columns, rows] =
        [image.width, image.height].map(|side| u32::try_from(side).expect("at most 65535"));
    let samples = match format {
        PixelFormat::Grayscale => GrayImage::from_raw(columns, rows, image.data).map(Samples::Grey),
        PixelFormat::Rgb => RgbImage::from_raw(columns, rows, image.data).map(Samples::Rgb),
        _ => RgbImage::from_raw(columns, rows, rgb(&image.data)).map(Samples::Rgb),
    };
    let samples = samples.ok_or_else(|| unsupported("the size of the output"))?;
    Ok(Image::halved(samples, size, halvings).upright(orientation))
}

/// How many times the sides are halved in decoding: 0, 2 or 3.
///
/// It is 0 for a colour model, unless the image is grey. A full decode clips each pixel, so a saturated area becomes
/// paler than its mean, by up to 5/255, however many pixels form one. For grey the difference is within the bound.
/// Halving once is as slow as a full decode.
fn halvings(header: &FrameHeader, upright: Size, target: &Target) -> u32 {
    let is_grey = match header.components.len() {
        1 => true,
        3 => target.colour == Colour::Grey,
        _ => false,
    };
    if !is_grey || header.precision != 8 || header.is_lossless {
        return 0;
    }
    enough(upright, target)
}

/// How many times the sides of a grey image can be halved.
fn enough(upright: Size, target: &Target) -> u32 {
    match target.shrinks(upright) {
        shrinks if 8.0 * ENOUGH <= shrinks => 3,
        shrinks if 4.0 * ENOUGH <= shrinks => 2,
        _ => 0,
    }
}

/// Whether two targets of the same colour need the same decode of an image.
pub(in crate::preprocessing) fn serves_both(upright: Size, one: &Target, other: &Target) -> bool {
    enough(upright, one) == enough(upright, other)
}

/// Converts CMYK, stored inverted as Adobe does, to RGB as Pillow does.
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

/// Maps the decoder's errors to ours, by cause.
fn decode_error(error: JpegError) -> DecodeError {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => {
            DecodeError::TooLarge
        }
        JpegError::UnexpectedEof => DecodeError::CutShort,
        JpegError::Unsupported(_) => unsupported("coding"),
        other => DecodeError::Corrupt(Diagnosis::new(other)),
    }
}

fn unsupported(feature: &str) -> DecodeError {
    DecodeError::Unsupported(Diagnosis::new(feature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::Fit;
    use crate::preprocessing::side::Side;

    #[track_caller]
    fn check(colour: Colour, [width, height]: [u32; 2], expected: [u32; 2]) {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/images/reduced-orientation-6.jpg"
        );
        let upload = std::fs::read(path).expect("an image");
        let target = Target { size: Size { width, height }, colour, fit: Fit::Stretch };
        let image = decode(&upload, &Limits::default(), &target).expect("an image");
        assert_eq!(image.size(), Size { width: 397, height: 521 });
        assert_eq!([image.columns(), image.rows()].map(Side::samples), expected);
    }

    #[test]
    fn a_large_image_is_decoded_at_a_fraction_of_its_size() {
        check(Colour::Grey, [16, 20], [397, 521]);
        check(Colour::Grey, [15, 20], [100, 131]);
        check(Colour::Grey, [7, 10], [50, 66]);
    }

    #[test]
    fn colours_are_decoded_in_full() {
        check(Colour::Rgb, [6, 8], [397, 521]);
    }

    #[test]
    fn inverted_cmyk_becomes_rgb() {
        // Inverted: 255 means no ink.
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
