//! What a WebP claims, as far as its decoder believes a claim.
//!
//! The decoder makes room for a frame, and for EXIF, as large as each says it is, before it holds the one
//! against the image's size and the other against the bytes that are there.

use std::borrow::Cow;

use super::Limits;
use super::orientation::Metadata;
use crate::preprocessing::DecodeError;

/// What stands before the first chunk: `RIFF`, a length, `WEBP`.
const FILE_HEADER: usize = 12;

/// What stands in an animation's frame before its own chunks.
const FRAME_HEADER: usize = 16;

/// A part of the file.
struct Chunk<'a> {
    name: &'a [u8],
    /// How long its content is said to be.
    length: usize,
    /// As much of it as is there.
    content: &'a [u8],
}

/// Refuses frames beyond the limits, and EXIF that ends behind the upload.
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
        let length = length.iter().rev().fold(0, |it, byte| it << 8 | usize::from(*byte));
        // A content of odd length has a byte of nothing behind it.
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

    /// Of a lossy frame: three bytes of flags, three that never vary, then its sides in 14 bits each.
    fn frame_pixels(&self) -> u64 {
        let sides = self.content.get(6..10).unwrap_or_default();
        let (sides, _) = sides.as_chunks::<2>();
        sides.iter().map(|it| u64::from(u16::from_le_bytes(*it) & 0x3fff)).product()
    }
}
