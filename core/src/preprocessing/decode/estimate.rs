//! Estimates the cost of decoding an upload from its header. The estimate determines where the upload is decoded.
//!
//! It proves nothing: a header may be false, and a decoder may read another header. The code that decodes must enforce
//! the limits itself.

use image::ImageFormat;
use memchr::memmem;

use super::heif;
use super::jpeg::segments::{Segment, segments};
use super::tiff::{self, Directory};

/// The part of a JPEG, in bytes, that is searched for the frame and the scans.
const SEARCHED: usize = 1 << 20;

/// The cost of decoding an upload, according to its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Width times height; 0 if the header does not state it.
    pub pixels: u64,
    /// How many times the decoder processes all pixels: once, or once for each scan of a JPEG.
    pub passes: u64,
    /// Whether the number of pixels and the upload's length bound the decoder's time and memory. This is so for JPEG,
    /// PNG, BMP and PNM. The containers TIFF, WebP, GIF and HEIC have parts with sizes of their own.
    pub is_bounded: bool,
}

impl Estimate {
    /// Reads the header. `None` if the first bytes match no known format; decoding then costs nothing.
    pub fn of(upload: &[u8]) -> Option<Self> {
        let Some(format) = super::format(upload) else { return heif::estimate(upload) };
        let pixels = size(format, upload).map_or(0, |[width, height]| width.saturating_mul(height));
        let (passes, is_bounded) = match format {
            ImageFormat::Jpeg => (scans(beginning(upload)), true),
            ImageFormat::Tiff | ImageFormat::WebP | ImageFormat::Gif => (1, false),
            _ => (1, true),
        };
        Some(Self { pixels, passes, is_bounded })
    }

    /// The pixels that the decoder processes in all passes together.
    pub fn work(&self) -> u64 {
        self.pixels.saturating_mul(self.passes)
    }
}

/// Width and height, if the header is at its usual position.
fn size(format: ImageFormat, upload: &[u8]) -> Option<[u64; 2]> {
    match format {
        ImageFormat::Jpeg => jpeg(beginning(upload)),
        ImageFormat::Png => Some([be32(upload, 16)?, be32(upload, 20)?]),
        ImageFormat::Gif => Some([le16(upload, 6)?, le16(upload, 8)?]),
        ImageFormat::Bmp if le32(upload, 14)? == 12 => Some([le16(upload, 18)?, le16(upload, 20)?]),
        ImageFormat::Bmp => {
            // A negative height means that the rows run from top to bottom.
            let side = |at| Some(u64::from(i32::from_le_bytes(bytes(upload, at)?).unsigned_abs()));
            Some([side(18)?, side(22)?])
        }
        ImageFormat::Pnm => pnm(upload),
        ImageFormat::WebP => webp(upload),
        ImageFormat::Tiff => tiff::sides(&Directory::first(upload)?),
        _ => None,
    }
}

fn beginning(upload: &[u8]) -> &[u8] {
    &upload[..upload.len().min(SEARCHED)]
}

/// Reads the first frame's header, which may follow any number of segments.
fn jpeg(upload: &[u8]) -> Option<[u64; 2]> {
    let header = jpeg_frame(upload)?.content;
    Some([be16(header, 3)?, be16(header, 1)?])
}

fn jpeg_frame(upload: &[u8]) -> Option<Segment<'_>> {
    // Huffman tables, arithmetic conditioning and a reserved one lie among the frames' markers.
    segments(upload).find(|segment| {
        matches!(segment.marker, 0xc0..=0xcf) && ![0xc4, 0xc8, 0xcc].contains(&segment.marker)
    })
}

/// The number of scans after the frame's header: at least one.
fn scans(upload: &[u8]) -> u64 {
    let behind = jpeg_frame(upload).map_or(&[][..], |frame| frame.behind);
    (memmem::find_iter(behind, b"\xff\xda").count() as u64).max(1)
}

/// The two numbers after the magic number, separated by white space and comments.
fn pnm(upload: &[u8]) -> Option<[u64; 2]> {
    /// No real header is longer.
    const LONGEST: usize = 4096;
    let mut rest = upload.get(2..upload.len().min(LONGEST))?;
    let mut sides = [0; 2];
    for side in &mut sides {
        while let [first, behind @ ..] = rest {
            match first {
                b'#' => rest = &rest[memchr::memchr(b'\n', rest)?..],
                _ if first.is_ascii_whitespace() => rest = behind,
                _ => break,
            }
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *side = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        rest = &rest[digits..];
    }
    Some(sides)
}

/// The size of the canvas, or else that of the only frame.
fn webp(upload: &[u8]) -> Option<[u64; 2]> {
    let side14 = |at| Some(le16(upload, at)? & 0x3fff);
    let side24 = |at| Some((le32(upload, at)? & 0x00ff_ffff) + 1);
    match &bytes::<4>(upload, 12)? {
        b"VP8X" => Some([side24(24)?, side24(27)?]),
        b"VP8 " => Some([side14(26)?, side14(28)?]),
        b"VP8L" => {
            let bits = le32(upload, 21)?;
            Some([(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1])
        }
        _ => None,
    }
}

fn bytes<const N: usize>(upload: &[u8], at: usize) -> Option<[u8; N]> {
    upload.get(at..)?.first_chunk().copied()
}

fn le16(upload: &[u8], at: usize) -> Option<u64> {
    bytes(upload, at).map(|two| u16::from_le_bytes(two).into())
}

fn be16(upload: &[u8], at: usize) -> Option<u64> {
    bytes(upload, at).map(|two| u16::from_be_bytes(two).into())
}

fn le32(upload: &[u8], at: usize) -> Option<u64> {
    bytes(upload, at).map(|four| u32::from_le_bytes(four).into())
}

fn be32(upload: &[u8], at: usize) -> Option<u64> {
    bytes(upload, at).map(|four| u32::from_be_bytes(four).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images");

    /// The estimate of each fixture states the pixels that its decoder reads.
    #[test]
    fn headers_are_read_as_decoders_read_them() {
        let mut read = 0;
        for file in fs::read_dir(FIXTURES).expect("fixtures") {
            let path = file.expect("a file").path();
            let upload = fs::read(&path).expect("bytes");
            let Ok(reader) =
                image::ImageReader::new(std::io::Cursor::new(&upload)).with_guessed_format()
            else {
                continue;
            };
            let Ok((width, height)) = reader.into_dimensions() else { continue };
            let pixels = Estimate::of(&upload).map(|estimate| estimate.pixels);
            assert_eq!(pixels, Some(u64::from(width) * u64::from(height)), "{path:?}");
            read += 1;
        }
        assert!(20 < read, "{read} fixtures");
    }

    #[test]
    fn truncated_and_damaged_uploads_are_estimated_without_a_panic() {
        let mut random = fastrand::Rng::with_seed(7);
        for file in fs::read_dir(FIXTURES).expect("fixtures") {
            let mut upload = fs::read(file.expect("a file").path()).expect("bytes");
            for length in 0..upload.len().min(200) {
                Estimate::of(&upload[..length]);
            }
            for _ in 0..200 {
                let at =
                    random.usize(..upload.len().clamp(1, 100)).min(upload.len().saturating_sub(1));
                if let Some(byte) = upload.get_mut(at) {
                    *byte = random.u8(..);
                }
                Estimate::of(&upload);
            }
        }
    }

    #[test]
    fn each_scan_of_a_jpeg_counts() {
        let frame = b"\xff\xd8\xff\xc2\0\x0b\x08\0\x10\0\x20\x01\x01\x11\0";
        let scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\0";
        let upload = [&frame[..], &scan.repeat(40)].concat();
        let estimate = Estimate::of(&upload).expect("a JPEG");
        assert_eq!(estimate, Estimate { pixels: 512, passes: 40, is_bounded: true });
        assert_eq!(estimate.work(), 20_480);
    }

    #[test]
    fn containers_of_parts_are_not_bounded_by_their_header() {
        for (upload, is_bounded) in [
            (&b"GIF89a\x10\0\x10\0\0\0\0"[..], Some(false)),
            (b"II*\0\x08\0\0\0\0\0", Some(false)),
            (b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\0\0\0\0", Some(false)),
            (b"P5 2 2 255\n1234", Some(true)),
            (b"hello", None),
        ] {
            let estimate = Estimate::of(upload);
            assert_eq!(estimate.map(|estimate| estimate.is_bounded), is_bounded, "{upload:?}");
        }
    }
}
