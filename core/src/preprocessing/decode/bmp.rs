//! Where the pixels of a BMP with a palette begin.
//!
//! Some programs write 0, or the place of the palette, and some count more colours than a pixel can tell. The decoder
//! would take the palette for pixels, or refuse the file; Pillow looks behind the palette.

use std::borrow::Cow;
use std::ops::Range;

/// What stands before the second header, whose first number is its length.
const FILE_HEADER: usize = 14;

/// Where the place of the pixels is told.
const PLACE: Range<usize> = 10..14;

/// Where the number of colours is told, unless the header is of the oldest kind.
const COLOURS: Range<usize> = 46..50;

/// The length of the oldest kind of header.
const OLDEST: usize = 12;

/// The upload as its decoder reads it rightly: itself, unless its header has to say something else.
pub(super) fn repaired(upload: &[u8]) -> Cow<'_, [u8]> {
    repair(upload).map_or(upload.into(), Cow::from)
}

fn repair(upload: &[u8]) -> Option<Vec<u8>> {
    let place = number(upload, PLACE)?;
    let header = number(upload, FILE_HEADER..FILE_HEADER + 4)?;
    let (bits, colour_bytes) = if header == OLDEST { (24..26, 3) } else { (28..30, 4) };
    let most = match number(upload, bits)? {
        bits @ (1 | 2 | 4 | 8) => 1 << bits,
        _ => return None,
    };
    let told = if header == OLDEST { 0 } else { number(upload, COLOURS)? };
    let colours = if told == 0 { most } else { told };
    let palette = FILE_HEADER.checked_add(header)?;
    let is_place_wrong = place == 0 || place == palette;
    if !is_place_wrong && told <= most {
        return None;
    }
    let mut upload = upload.to_vec();
    if is_place_wrong {
        let place = u32::try_from(palette.checked_add(colours.checked_mul(colour_bytes)?)?).ok()?;
        upload[PLACE].copy_from_slice(&place.to_le_bytes());
    }
    if most < told {
        upload[COLOURS].fill(0);
    }
    Some(upload)
}

fn number(upload: &[u8], at: Range<usize>) -> Option<usize> {
    Some(upload.get(at)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
