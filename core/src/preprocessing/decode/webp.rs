//! Checks the sizes that a WebP states and that its decoder trusts.
//!
//! The decoder allocates a frame, and EXIF data, at their stated sizes. Only later does it compare the frame with the
//! image's size and the EXIF data with the available bytes.

use std::borrow::Cow;

use super::Limits;
use super::orientation::Metadata;
use crate::preprocessing::DecodeError;

/// The bytes before the first chunk: `RIFF`, a length, `WEBP`.
const FILE_HEADER: usize = 12;

/// The bytes of an animation's frame before its own chunks.
const FRAME_HEADER: usize = 16;

/// A chunk of the file.
struct Chunk<'a> {
    name: &'a [u8],
    /// The stated length of the content.
    length: usize,
    /// The content that is present.
    content: &'a [u8],
}

/// Refuses frames beyond the limits, and EXIF data that extends beyond the end of the upload.
pub(super) fn check(upload: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    for chunk in chunks(upload.get(FILE_HEADER..).unwrap_or_default()) {
        chunk.check(limits)?;
        if chunk.name == b"ANMF" {
            for chunk in chunks(chunk.content.get(FRAME_HEADER..).unwrap_or_default()) {
                chunk.check(limits)?;
            }
        }
    }
    Ok(())
}

/// What the chunks of metadata say that the header announces.
pub(super) fn metadata(upload: &[u8]) -> Metadata<'_> {
    const EXIF: u8 = 8;
    const XMP: u8 = 4;
    let parts = || chunks(upload.get(FILE_HEADER..).unwrap_or_default());
    let header = parts().find(|chunk| chunk.name == b"VP8X");
    let flags = header.and_then(|chunk| chunk.content.first().copied()).unwrap_or_default();
    let content = |name: &[u8], flag| {
        let chunk = parts().find(|chunk| chunk.name == name).filter(|_| flags & flag != 0)?;
        Some(Cow::from(chunk.content))
    };
    Metadata { exif: content(b"EXIF", EXIF), xmp: content(b"XMP ", XMP) }
}

fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(8)?;
        let (name, length) = header.split_at(4);
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        // A content of odd length is followed by one byte of padding.
        rest = behind.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some(Chunk { name, length, content: &behind[..length.min(behind.len())] })
    })
}

impl Chunk<'_> {
    fn check(&self, limits: &Limits) -> Result<(), DecodeError> {
        match self.name {
            b"VP8 " if limits.max_pixels < self.frame_pixels() => Err(DecodeError::TooLarge),
            b"EXIF" if self.content.len() < self.length => Err(DecodeError::CutShort),
            _ => Ok(()),
        }
    }

    /// The pixels of a lossy frame: three bytes of flags, three constant bytes, then the sides in 14 bits each.
    fn frame_pixels(&self) -> u64 {
        let sides = self.content.get(6..10).unwrap_or_default();
        let (sides, _) = sides.as_chunks::<2>();
        sides.iter().map(|side| u64::from(u16::from_le_bytes(*side) & 0x3fff)).product()
    }
}
