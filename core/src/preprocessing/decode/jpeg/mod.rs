//! Decodes JPEG with the same result as libjpeg-turbo, to the bit.
//!
//! Models are trained on images decoded by libjpeg-turbo, in Pillow and in torchvision. The decoder of the crate
//! `image` upsamples chroma differently, by up to 21 of 255. A large JPEG is decoded at a fraction of its size if the
//! result does not differ visibly.
//!
//! Like Pillow, it accepts what libjpeg only warns of, except for an image that ends before its last pixel.

pub(super) mod ink;
mod planes;
mod scans;
pub(super) mod segments;

use image::metadata::Orientation;
use image::{GrayImage, ImageFormat, RgbImage};
use libjpeg_turbo_rs::{
    DecodeLimits, DecodeWarning, Decoder, FrameHeader, JpegError, PixelFormat, ScalingFactor,
};

use super::{Goal, Limits, no_pixels, orientation};
use crate::preprocessing::area::{Area, inverse};
use crate::preprocessing::fit::{Size, Target};
use crate::preprocessing::samples::{Image, Samples};
use crate::preprocessing::{Colour, DecodeError, Detail, Diagnosis};

/// The most scans of a progressive JPEG. Encoders write about ten, and each scan costs a whole pass.
pub(super) const MAX_SCANS: usize = 100;

/// Decodes a JPEG of one, three or four components, at a fraction of its size if that suffices for the target.
pub(super) fn decode(upload: &[u8], limits: &Limits, goal: Goal) -> Result<Image, DecodeError> {
    let decoder_limits = DecodeLimits {
        max_pixels: limits.max_pixels,
        max_scans: MAX_SCANS,
        max_memory: Some(limits.max_memory),
        ..DecodeLimits::default()
    };
    if !scans::restart_in_turn(upload) {
        return Err(DecodeError::Corrupt(Diagnosis::new("restarts out of turn")));
    }
    match attempt(upload, limits, &decoder_limits, goal, false) {
        Err(DecodeError::CutShort | DecodeError::Corrupt(_)) if scans::are_ended(upload) => {
            attempt(upload, limits, &decoder_limits, goal, true)
        }
        decoded => decoded,
    }
}

/// Decodes strictly, or takes what can be had.
fn attempt(
    upload: &[u8],
    limits: &Limits,
    decoder_limits: &DecodeLimits,
    goal: Goal,
    is_lenient: bool,
) -> Result<Image, DecodeError> {
    let mut decoder = Decoder::new_with_limits(upload, *decoder_limits).map_err(refusal)?;
    decoder.set_lenient(is_lenient);
    decoder.set_block_smoothing(decoder.header().is_progressive);
    let (width, height) = (u32::from(decoder.header().width), u32::from(decoder.header().height));
    if width == 0 || height == 0 {
        return Err(no_pixels());
    }
    let format = match decoder.header().components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        _ => return Err(unsupported("another number of channels than 1, 3 or 4")),
    };
    decoder.set_output_format(format);
    let is_partial = scans::are_partial(upload);
    let orientation = orientation::of(upload, ImageFormat::Jpeg);
    let size = Size { width, height };
    if is_partial || is_uneven(decoder.header()) {
        let samples = by_planes(upload, decoder, limits, decoder_limits, is_partial)?;
        return Ok(Image::new(samples).upright(orientation));
    }
    let is_progressive = decoder.header().is_progressive;
    let area = area(goal, decoder.header(), size, orientation);
    let halvings = match goal {
        Goal::Input(target) => halvings(decoder.header(), size.upright(orientation), target),
        Goal::Photograph(detail) => halvings_of_photograph(decoder.header(), area.size(), detail),
    };
    decoder.set_scale(ScalingFactor::try_new(1, 1 << halvings).map_err(refusal)?);
    let is_part = area != Area::whole(size);
    if is_part {
        let [left, top] = [area.left, area.top].map(|start| start as usize >> halvings);
        let [width, height] =
            [area.width, area.height].map(|side| side.div_ceil(1 << halvings) as usize);
        decoder.set_crop_region(left, top, width, height);
    }
    let image = decoder.decode_image().map_err(refusal)?;
    for warning in &image.warnings {
        match warning {
            // Not one block is there; a progressive image may have all but those of a scan.
            DecodeWarning::TruncatedData { decoded_mcus: 0, .. } if !is_progressive => {
                return Err(DecodeError::CutShort);
            }
            DecodeWarning::ExtraneousData { .. } | DecodeWarning::TruncatedData { .. } => {}
            warning => return Err(DecodeError::Corrupt(Diagnosis::new(warning))),
        }
    }

    let [columns, rows] =
        [image.width, image.height].map(|side| u32::try_from(side).expect("at most 65535"));
    let samples = match format {
        PixelFormat::Grayscale => GrayImage::from_raw(columns, rows, image.data).map(Samples::Grey),
        PixelFormat::Rgb => RgbImage::from_raw(columns, rows, image.data).map(Samples::Rgb),
        _ => RgbImage::from_raw(columns, rows, ink::inverted_to_rgb(&image.data)).map(Samples::Rgb),
    };
    let samples = samples.ok_or_else(|| unsupported("the size of the output"))?;
    let image = Image::halved(samples, area.size(), halvings);
    let image = if is_part { image.part_of(area, size) } else { image };
    Ok(image.upright(orientation))
}

/// The area of a JPEG of this size that is decoded, in whole blocks. It is all of an unusual one.
fn area(goal: Goal, header: &FrameHeader, size: Size, orientation: Orientation) -> Area {
    /// The largest block that the library decodes as a whole, in pixels.
    const BLOCK: u32 = 32;
    let is_usual = header.precision == 8
        && !header.is_lossless
        && header.components.len() != 4
        && header.components.iter().all(|it| [1, 2, 4].contains(&it.horizontal_sampling));
    match goal {
        Goal::Photograph(Detail::Of(area)) if is_usual => {
            area.turned(size.upright(orientation), inverse(orientation)).in_blocks(BLOCK, size)
        }
        Goal::Photograph(_) | Goal::Input(_) => Area::whole(size),
    }
}

/// Whether the channels are of resolutions that the library's own way refuses or panics at.
fn is_uneven(header: &FrameHeader) -> bool {
    let factors = header.components.iter().map(|it| (it.horizontal_sampling, it.vertical_sampling));
    let mut factors = factors.collect::<Vec<_>>().into_iter();
    let (Some(first), count) = (factors.next(), header.components.len()) else { return false };
    let is_plain = header.precision == 8 && !header.is_lossless;
    is_plain
        && factors.any(|it| if count == 4 { it != first } else { first.0 < it.0 || first.1 < it.1 })
}

/// Decodes the channels to samples of their own, and makes pixels of these.
fn by_planes(
    upload: &[u8],
    decoder: Decoder,
    limits: &Limits,
    decoder_limits: &DecodeLimits,
    is_partial: bool,
) -> Result<Samples, DecodeError> {
    let frame = decoder.header().clone();
    let space = decoder.jpeg_color_space();
    let [width, height] = [frame.width, frame.height];
    let pixels = u64::from(width) * u64::from(height);
    let channels = frame.components.len() as u64;
    // Samples of channels, pixels, and the colours of inks.
    let memory = pixels * (2 * channels + if channels == 4 { 3 } else { 0 });
    if limits.max_pixels < pixels || limits.max_memory < memory {
        return Err(DecodeError::TooLarge);
    }
    let raw = if is_partial {
        scans::decode(upload, decoder_limits)?
    } else {
        decoder.decode_raw().map_err(refusal)?
    };
    let planes = planes::planes(raw, &frame)?;
    let pixels = planes::pixels(&planes, [width, height].map(usize::from), space)?;
    let pixels = if frame.components.len() == 4 { ink::inverted_to_rgb(&pixels) } else { pixels };
    let image = RgbImage::from_raw(width.into(), height.into(), pixels);
    Ok(Samples::Rgb(image.expect("three bytes a pixel")))
}

/// How many times the sides are halved in decoding for a model's input.
fn halvings(header: &FrameHeader, upright: Size, target: &Target) -> u32 {
    let channels = header.components.len();
    if channels == 4 || header.precision != 8 || header.is_lossless {
        return 0;
    }
    let is_grey = channels == 1 || target.colour == Colour::Grey;
    target.reduction.halvings(target.shrinks(upright), is_grey)
}

/// How many times the sides can be halved for a photograph.
fn halvings_of_photograph(header: &FrameHeader, size: Size, detail: Detail) -> u32 {
    if header.precision != 8 || header.is_lossless {
        return 0;
    }
    detail.halvings(size.width.max(size.height))
}

/// Whether two targets of the same colour and reduction need the same decode of an image.
pub(in crate::preprocessing) fn serves_both(upright: Size, one: &Target, other: &Target) -> bool {
    [true, false].into_iter().all(|is_grey| {
        let halvings =
            [one, other].map(|target| target.reduction.halvings(target.shrinks(upright), is_grey));
        halvings[0] == halvings[1]
    })
}

/// Sorts the decoder's errors by whose fault they are.
pub(super) fn refusal(error: JpegError) -> DecodeError {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => {
            DecodeError::TooLarge
        }
        JpegError::UnexpectedEof => DecodeError::CutShort,
        JpegError::Unsupported(_) => unsupported("a coding other than baseline and progressive"),
        other => DecodeError::Corrupt(Diagnosis::new(other)),
    }
}

fn unsupported(feature: &str) -> DecodeError {
    DecodeError::unsupported_kind("JPEG", feature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::side::Side;
    use crate::preprocessing::{Fit, Reduction};

    #[track_caller]
    fn check(colour: Colour, [width, height]: [u32; 2], expected: [u32; 2]) {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/images/reduced-orientation-6.jpg"
        );
        let upload = std::fs::read(path).expect("an image");
        let size = Size { width, height };
        let reduction = Reduction::Invisible;
        let target = Target { size, colour, fit: Fit::Stretch, reduction };
        let image = decode(&upload, &Limits::default(), Goal::Input(&target)).expect("an image");
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
    fn colours_are_decoded_in_full_unless_fewer_samples_were_measured_to_be_enough() {
        check(Colour::Rgb, [6, 8], [397, 521]);
    }
}
