//! Decodes a HEIC with the crates `heifer`: the pictures of its primary image, one after the other.
//!
//! Their decoder of whole files is not used. It decodes alpha, which is dropped here, and follows pictures that are derived
//! from each other to any number.

use heifer::color::{ColorParams, frame_to_rgba_sized};
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_isobmff::boxes::{ColorInfo, Property};
use heifer_isobmff::{HeifFile, ItemId};
use image::RgbImage;

use super::layout::{Layout, corrupt, parse};
use super::transforms;
use crate::preprocessing::decode::Limits;
use crate::preprocessing::fit::Size;
use crate::preprocessing::samples::Image;
use crate::preprocessing::{DecodeError, Diagnosis};

/// By how many pixels a side of a coded picture may exceed the side that is shown: the largest block.
const LARGEST_BLOCK: u32 = 64;

/// Decodes the primary image, and crops and turns it as the file states.
pub(super) fn decode(upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let file = parse(upload)?;
    let layout = Layout::of(&file, limits)?;
    // Tiles that share their bytes would make a small upload cost as much as a large one.
    let mut bytes_left = upload.len();
    let mut picture = |id| picture(&file, id, layout.tile, &mut bytes_left);
    let Size { width, height } = layout.size;
    let image = if let [only] = layout.tiles[..] {
        let tile = picture(only)?;
        if layout.tile == layout.size { tile } else { cropped(&tile, layout.size) }
    } else {
        let mut canvas = RgbImage::new(width, height);
        for (index, id) in layout.tiles.iter().enumerate() {
            let place = [index % layout.columns, index / layout.columns];
            put(&mut canvas, &picture(*id)?, place);
        }
        canvas
    };
    transforms::apply(&file, image)
}

/// The first columns and rows.
fn cropped(tile: &RgbImage, size: Size) -> RgbImage {
    image::imageops::crop_imm(tile, 0, 0, size.width, size.height).to_image()
}

/// Copies a tile to its column and row of tiles. What is beyond the canvas is dropped.
fn put(canvas: &mut RgbImage, tile: &RgbImage, [column, row]: [usize; 2]) {
    const CHANNELS: usize = 3;
    let [width, tile_width] = [canvas.width(), tile.width()].map(|side| side as usize * CHANNELS);
    let left = column * tile_width;
    let rows = canvas.chunks_exact_mut(width).skip(row * tile.height() as usize);
    for (to, from) in rows.zip(tile.chunks_exact(tile_width)) {
        let length = tile_width.min(width - left);
        to[left..left + length].copy_from_slice(&from[..length]);
    }
}

/// Decodes one picture of this size.
fn picture(
    file: &HeifFile,
    id: ItemId,
    size: Size,
    bytes_left: &mut usize,
) -> Result<RgbImage, DecodeError> {
    let data = file.item_data(id).map_err(unreadable)?;
    *bytes_left = bytes_left
        .checked_sub(data.len())
        .ok_or_else(|| DecodeError::unsupported_kind("HEIC", "tiles that share their bytes"))?;
    let coded = |side: u32| u64::from(side) + u64::from(LARGEST_BLOCK);
    let max_pixels = coded(size.width) * coded(size.height);
    let options = DecodeOptions { max_pixels, ..DecodeOptions::default() };
    let stream = file.hevc_bitstream(id).map_err(unreadable)?;
    let frame = decode_picture(&stream, options).map_err(undecodable)?;
    drop(stream);
    // What the file states for the image rules over what it states for one picture, and both over the picture itself.
    let colours = match stated(file, file.primary_id)? {
        Some(colours) => colours,
        None => stated(file, id)?.unwrap_or_else(|| ColorParams::from_frame(&frame)),
    };
    let image = frame_to_rgba_sized::<u8>(&frame, colours, size.width, size.height);
    drop(frame);
    let (width, height) = (image.width, image.height);
    if [width, height] != [size.width, size.height] {
        return Err(corrupt("a picture smaller than stated"));
    }
    let image = RgbImage::from_raw(width, height, image.into_rgb8());
    Ok(image.expect("three bytes for each pixel"))
}

/// The colours that the file states for an image or a picture.
fn stated(file: &HeifFile, id: ItemId) -> Result<Option<ColorParams>, DecodeError> {
    let mut properties = file.item_properties(id).map_err(unreadable)?;
    Ok(properties.find_map(|property| match property {
        Property::Color(ColorInfo::Nclx { matrix, full_range, .. }) => {
            Some(ColorParams { matrix: *matrix, full_range: *full_range })
        }
        _ => None,
    }))
}

/// The error of a file whose description can't be read.
pub(super) fn unreadable(error: heifer_isobmff::Error) -> DecodeError {
    use heifer_isobmff::Error as E;
    match error {
        E::UnexpectedEof => DecodeError::CutShort,
        E::Unimplemented(_) => DecodeError::Unsupported(Diagnosis::new(error)),
        _ => DecodeError::Corrupt(Diagnosis::new(error)),
    }
}

/// The error of a picture that can't be decoded.
fn undecodable(error: heifer_hevc_dec::Error) -> DecodeError {
    use heifer_hevc_dec::Error as E;
    match error {
        E::UnexpectedEof => DecodeError::CutShort,
        E::Unimplemented(_) => DecodeError::Unsupported(Diagnosis::new(error)),
        _ => DecodeError::Corrupt(Diagnosis::new(error)),
    }
}
