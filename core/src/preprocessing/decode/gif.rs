//! Decodes the first frame of a GIF.
//!
//! The crate `image` shows black where a frame leaves its screen uncovered. Pillow fills that area with the
//! transparent colour, or else with the palette's first colour. This module does the same as Pillow.

use gif::{ColorOutput, DecodeOptions, DecodingError as GifError};
use image::RgbImage;

use super::{Limits, no_pixels};
use crate::preprocessing::samples::{Image, Samples};
use crate::preprocessing::{DecodeError, Diagnosis};

/// Decodes the first frame and places it on its screen.
pub(super) fn decode(upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.check_lzw_end_code(false);
    let mut decoder = options.read_info(upload).map_err(decode_error)?;
    let screen = [decoder.width(), decoder.height()].map(usize::from);
    check(screen, limits)?;

    let frame = decoder.next_frame_info().map_err(decode_error)?.ok_or(DecodeError::CutShort)?;
    let [left, top, frame_width, frame_height] =
        [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let fill = frame.transparent.unwrap_or(0);
    // A frame that extends beyond its screen enlarges the screen.
    let [width, height] = [screen[0].max(left + frame_width), screen[1].max(top + frame_height)];
    check([width, height], limits)?;
    let mut indices = vec![0; frame_width * frame_height];
    decoder.read_into_buffer(&mut indices).map_err(decode_error)?;

    let colours = colours(decoder.palette().unwrap_or_default());
    let mut canvas = vec![colours[usize::from(fill)]; width * height];
    if 0 < frame_width {
        let rows = canvas.chunks_exact_mut(width).skip(top);
        for (row, indices) in rows.zip(indices.chunks_exact(frame_width)) {
            for (pixel, index) in row[left..].iter_mut().zip(indices) {
                *pixel = colours[usize::from(*index)];
            }
        }
    }
    let [width, height] = [width, height].map(u32::try_from);
    let image = match (width, height) {
        (Ok(width), Ok(height)) => RgbImage::from_raw(width, height, canvas.into_flattened()),
        _ => None,
    };
    let image = image.expect("two sums of 16 bits fit in 32 bits, and the canvas has this size");
    Ok(Image::new(Samples::Rgb(image)))
}

/// A palette of 256 colours. Missing colours are greys, as in Pillow.
fn colours(palette: &[u8]) -> [[u8; 3]; 256] {
    let mut grey = 0..=255;
    let mut colours = [(); 256].map(|()| [grey.next().unwrap_or(255); 3]);
    let (palette, _) = palette.as_chunks::<3>();
    for (colour, given) in colours.iter_mut().zip(palette) {
        *colour = *given;
    }
    colours
}

/// Refuses a screen that is empty or exceeds the limits.
fn check(screen: [usize; 2], limits: &Limits) -> Result<(), DecodeError> {
    let pixels = screen.iter().map(|side| *side as u64).product::<u64>();
    if pixels == 0 {
        return Err(no_pixels());
    }
    // Three channels, and at most one index for each pixel.
    if limits.max_pixels < pixels || limits.max_memory < pixels * 4 {
        return Err(DecodeError::TooLarge);
    }
    Ok(())
}

/// Maps the decoder's errors to ours, by cause.
fn decode_error(error: GifError) -> DecodeError {
    match error {
        GifError::OutOfMemory | GifError::MemoryLimit => DecodeError::TooLarge,
        GifError::UnexpectedEof => DecodeError::CutShort,
        GifError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutShort
        }
        other => DecodeError::Corrupt(Diagnosis::new(other)),
    }
}
