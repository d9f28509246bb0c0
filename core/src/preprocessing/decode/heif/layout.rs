//! Which pictures make up an image, and where they belong.

use heifer_isobmff::boxes::{Property, parse_item_infos};
use heifer_isobmff::{BoxIter, HeifFile, ItemId};

use super::picture::unreadable;
use crate::preprocessing::decode::{Limits, MAX_SIDE, no_pixels};
use crate::preprocessing::fit::Size;
use crate::preprocessing::{DecodeError, Diagnosis, NotDecoded};

/// The longest description of a file's items, in bytes. The time to read one can grow with its square.
const LONGEST_META: usize = 256 << 10;

/// The most boxes of a file. The description of its items is one of them.
const MOST_BOXES: usize = 64;

/// The bytes that decoding takes for each pixel of one picture: two planes of 16 bits for each of three channels while
/// the picture is filtered, its modes, and then four channels of 8 bits.
const PICTURE_MEMORY: u64 = 16;

/// The pictures of an image, all of one size.
pub(super) struct Layout {
    /// The size of the image before it is cropped and turned.
    pub(super) size: Size,
    /// The size of each picture.
    pub(super) tile: Size,
    /// The number of pictures in a row.
    pub(super) columns: usize,
    /// The pictures, row by row.
    pub(super) tiles: Vec<ItemId>,
}

/// Reads the description of a file's items.
pub(super) fn parse(upload: &[u8]) -> Result<HeifFile<'_>, DecodeError> {
    let boxes = BoxIter::new(upload).take(MOST_BOXES + 1).collect::<Result<Vec<_>, _>>();
    let boxes = boxes.map_err(unreadable)?;
    if MOST_BOXES < boxes.len() {
        return Err(DecodeError::unsupported_kind("HEIC", "more than 64 boxes"));
    }
    for meta in boxes.iter().filter(|one| one.header.box_type.0 == *b"meta") {
        check_meta(meta.content)?;
    }
    HeifFile::parse(upload).map_err(unreadable)
}

/// Refuses what would take far more memory than it has bytes: the parser copies the places of an item for each entry with
/// its number, and a place may have no bytes.
fn check_meta(meta: &[u8]) -> Result<(), DecodeError> {
    if LONGEST_META < meta.len() {
        return Err(DecodeError::unsupported_kind("HEIC", "more than 256 KiB of metadata"));
    }
    for one in BoxIter::new(meta.get(4..).unwrap_or_default()).map_while(Result::ok) {
        match &one.header.box_type.0 {
            b"iinf" => {
                let items = parse_item_infos(one.content).map_err(unreadable)?;
                let mut ids: Vec<ItemId> = items.iter().map(|item| item.id).collect();
                ids.sort_unstable();
                ids.dedup();
                if ids.len() < items.len() {
                    return Err(corrupt("two items of one number"));
                }
            }
            // After version and flags come the lengths of an offset and of a length, four bits each.
            b"iloc" if one.content.get(4) == Some(&0) => {
                return Err(corrupt("items whose places have no bytes"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn meta(upload: &[u8]) -> Option<&[u8]> {
    child(upload, *b"meta")
}

fn child(content: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut boxes = BoxIter::new(content).take(MOST_BOXES).map_while(Result::ok);
    boxes.find(|one| one.header.box_type.0 == name).map(|one| one.content)
}

/// The pixels of the largest image that the file states a size for. Thumbnails and tiles are smaller than the image.
pub(super) fn stated_pixels(upload: &[u8]) -> Option<u64> {
    let meta = meta(upload).filter(|meta| meta.len() <= LONGEST_META)?.get(4..)?;
    let properties = BoxIter::new(child(child(meta, *b"iprp")?, *b"ipco")?).map_while(Result::ok);
    let sizes = properties.filter(|one| one.header.box_type.0 == *b"ispe");
    let sizes = sizes.map(|one| match Property::parse(one.header.box_type, one.content) {
        Ok(Property::ImageSize { width, height }) => u64::from(width) * u64::from(height),
        _ => 0,
    });
    sizes.max()
}

impl Layout {
    /// The layout of the primary image, which is one picture or a grid of them, within the limits.
    pub(super) fn of(file: &HeifFile, limits: &Limits) -> Result<Self, DecodeError> {
        let id = file.primary_id;
        let layout = match &file.item(id).map_err(unreadable)?.item_type.0 {
            b"hvc1" => {
                let size = size(file, id)?;
                Self { size, tile: size, columns: 1, tiles: vec![id] }
            }
            b"grid" => Self::grid(file, id)?,
            b"av01" => return Err(DecodeError::NotDecoded(NotDecoded::Avif)),
            other => {
                let kind = format!("an image of the type {}", other.escape_ascii());
                return Err(DecodeError::unsupported_kind("HEIC", kind));
            }
        };
        layout.check(limits)?;
        Ok(layout)
    }

    fn grid(file: &HeifFile, id: ItemId) -> Result<Self, DecodeError> {
        let grid = file.grid(id).map_err(unreadable)?;
        let tiles = file.referenced_items(id, b"dimg").to_vec();
        let [columns, rows] = [grid.columns, grid.rows].map(usize::from);
        if tiles.is_empty() || tiles.len() != columns * rows {
            return Err(corrupt("a grid with another number of tiles"));
        }
        for tile in &tiles {
            if file.item(*tile).map_err(unreadable)?.item_type.0 != *b"hvc1" {
                return Err(DecodeError::unsupported_kind("HEIC", "a grid of other than pictures"));
            }
        }
        let size = Size { width: grid.output_width, height: grid.output_height };
        let tile = self::size(file, tiles[0])?;
        // Each tile must be needed, so that an image has no more pictures than pixels.
        let covers = |length: u32, tile: u32, count: u16| {
            let (length, tile, count) = (u64::from(length), u64::from(tile), u64::from(count));
            tile * (count - 1) < length && length <= tile * count
        };
        if !covers(size.width, tile.width, grid.columns)
            || !covers(size.height, tile.height, grid.rows)
        {
            return Err(corrupt("tiles that do not cover their grid"));
        }
        Ok(Self { size, tile, columns, tiles })
    }

    fn check(&self, limits: &Limits) -> Result<(), DecodeError> {
        let pixels = |size: Size| u64::from(size.width) * u64::from(size.height);
        let (image, tile) = (pixels(self.size), pixels(self.tile));
        if image == 0 || tile == 0 {
            return Err(no_pixels());
        }
        let sides = [self.size.width, self.size.height, self.tile.width, self.tile.height];
        // A picture is decoded beside the canvas, and turning the canvas takes a second one.
        let canvas = if self.tiles.len() == 1 { 0 } else { image.saturating_mul(3) };
        let memory =
            canvas.saturating_add(tile.saturating_mul(PICTURE_MEMORY)).max(image.saturating_mul(6));
        if limits.max_pixels < image.max(tile)
            || limits.max_memory < memory
            || sides.iter().any(|side| MAX_SIDE < *side)
        {
            return Err(DecodeError::TooLarge);
        }
        Ok(())
    }
}

/// The size that a file states for one of its pictures.
fn size(file: &HeifFile, id: ItemId) -> Result<Size, DecodeError> {
    let size = file.image_size(id).map_err(unreadable)?;
    let (width, height) = size.ok_or_else(|| corrupt("a picture without a size"))?;
    Ok(Size { width, height })
}

pub(super) fn corrupt(why: &str) -> DecodeError {
    DecodeError::Corrupt(Diagnosis::new(why))
}
