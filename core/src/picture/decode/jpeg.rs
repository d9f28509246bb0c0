//! JPEG, to the bit as libjpeg-turbo decodes it.
//!
//! Towers are trained on what libjpeg-turbo makes of a JPEG, in Pillow and torchvision
//! alike. The decoder of `image` brings chroma to full size differently: by up to 21 of 255.
//! A large one is decoded at a fraction of its size where the result shows nothing of it.

use image::metadata::Orientation;
use image::{GrayImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, FrameHeader, JpegError, PixelFormat, ScalingFactor};

use super::{Limits, no_pixels};
use crate::picture::fit::{Size, Target};
use crate::picture::samples::{Picture, Samples};
use crate::picture::{Colour, Diagnosis, PictureError};

/// The most scans of a progressive JPEG: encoders write about ten, and each costs a whole pass.
const MAX_SCANS: usize = 100;

/// How many decoded samples, along each side, one of the target's pixels must be made of at least.
///
/// On photographs one pixel in 24,000 was then 2/255 off, of 650,000, and all others at most 1; from
/// 7.5 on none was, and with four samples one in 150 was, by up to 4/255. It lets 12 megapixels become
/// 112 pixels a side.
const ENOUGH: f32 = 6.5;

/// Decodes a JPEG of one, three or four components, at a fraction of its size where that is
/// enough for the target.
pub(super) fn decode(
    upload: &[u8],
    limits: &Limits,
    target: &Target,
) -> Result<Picture, PictureError> {
    let decoder_limits = DecodeLimits {
        max_pixels: limits.max_pixels,
        max_scans: MAX_SCANS,
        max_memory: Some(limits.max_memory),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(upload, decoder_limits).map_err(refusal)?;
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
    decoder.set_scale(ScalingFactor::try_new(1, 1 << halvings).map_err(refusal)?);
    let image = decoder.decode_image().map_err(refusal)?;

    let [columns, rows] =
        [image.width, image.height].map(|it| u32::try_from(it).expect("at most 65535"));
    let samples = match format {
        PixelFormat::Grayscale => GrayImage::from_raw(columns, rows, image.data).map(Samples::Grey),
        PixelFormat::Rgb => RgbImage::from_raw(columns, rows, image.data).map(Samples::Rgb),
        _ => RgbImage::from_raw(columns, rows, rgb(&image.data)).map(Samples::Rgb),
    };
    let samples = samples.ok_or_else(|| unsupported("the size of the output"))?;
    Ok(Picture::halved(samples, size, halvings).upright(orientation))
}

/// How often the sides can be halved in decoding: never, twice or thrice.
///
/// Never for a tower of colours, except that the picture is grey: the full decoder clips each
/// pixel, so that a saturated area comes out paler than its mean, by up to 5/255 however many
/// pixels one is made of. In grey that is within the bound. Once would be as slow as a full
/// decode.
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

/// How often the sides of a grey picture can be halved.
fn enough(upright: Size, target: &Target) -> u32 {
    match target.shrinks(upright) {
        shrinks if 8.0 * ENOUGH <= shrinks => 3,
        shrinks if 4.0 * ENOUGH <= shrinks => 2,
        _ => 0,
    }
}

/// Whether a picture that was decoded for one target is as it would be for another of the same colour.
pub(in crate::picture) fn serves_both(upright: Size, one: &Target, other: &Target) -> bool {
    enough(upright, one) == enough(upright, other)
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
        other => PictureError::Corrupt(Diagnosis::new(other)),
    }
}

fn unsupported(feature: &str) -> PictureError {
    PictureError::Unsupported(Diagnosis::new(feature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Fit;
    use crate::picture::side::Side;

    #[track_caller]
    fn check(colour: Colour, [width, height]: [u32; 2], expected: [u32; 2]) {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/pictures/reduced-orientation-6.jpg"
        );
        let upload = std::fs::read(path).expect("a picture");
        let target = Target { size: Size { width, height }, colour, fit: Fit::Stretch };
        let picture = decode(&upload, &Limits::default(), &target).expect("a picture");
        assert_eq!(picture.size(), Size { width: 397, height: 521 });
        assert_eq!([picture.columns(), picture.rows()].map(Side::samples), expected);
    }

    #[test]
    fn what_is_large_is_decoded_at_a_fraction() {
        check(Colour::Grey, [16, 20], [397, 521]);
        check(Colour::Grey, [15, 20], [100, 131]);
        check(Colour::Grey, [7, 10], [50, 66]);
    }

    #[test]
    fn colours_are_decoded_in_full() {
        check(Colour::Rgb, [6, 8], [397, 521]);
    }

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
