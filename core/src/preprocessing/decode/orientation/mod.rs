//! How a camera was held, as its image's metadata say: EXIF, or else XMP.
//!
//! What Pillow's `exif_transpose` finds is found, in every container. Beyond it, an orientation is
//! one in whatever type of whole numbers it is written. What can't be read is no reason to refuse an image.

mod jpeg;
mod png;

use std::borrow::Cow;

use image::ImageFormat;
use image::metadata::Orientation;
use memchr::memmem;

use super::tiff::Directory;
use super::webp;

/// The tag of an orientation.
const ORIENTATION: u16 = 274;

/// The tag of XMP in a TIFF.
const XMP: u16 = 700;

/// What an upload says of itself, as far as it may tell an orientation.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    /// With or without what announces it.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
}

/// How the image in an upload must be turned to stand upright.
pub(super) fn of(upload: &[u8], format: ImageFormat) -> Orientation {
    let metadata = match format {
        ImageFormat::Jpeg => jpeg::metadata(upload),
        ImageFormat::Png => png::metadata(upload),
        ImageFormat::WebP => webp::metadata(upload),
        ImageFormat::Tiff => Metadata {
            exif: Some(upload.into()),
            xmp: Directory::first(upload).and_then(|it| it.bytes(XMP)).map(Cow::from),
        },
        _ => Metadata::default(),
    };
    metadata.orientation().unwrap_or(Orientation::NoTransforms)
}

impl Metadata<'_> {
    /// What EXIF says rules, even if it makes no sense; XMP is asked only where EXIF says nothing.
    fn orientation(&self) -> Option<Orientation> {
        let exif = self.exif.as_deref().and_then(in_exif);
        let number = exif.or_else(|| self.xmp.as_deref().and_then(in_xmp))?;
        Orientation::from_exif(u8::try_from(number).ok()?)
    }
}

fn in_exif(exif: &[u8]) -> Option<u64> {
    // Some programs write it with what announces it in a JPEG, wherever it stands, and some twice.
    let announced = |exif| <[u8]>::strip_prefix(exif, b"Exif\0\0").unwrap_or(exif);
    Directory::first(announced(announced(exif)))?.number(ORIENTATION)
}

/// An attribute or an element.
fn in_xmp(xmp: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut values = memmem::find_iter(xmp, NAME).map(|at| &xmp[at + NAME.len()..]);
    let digit = |rest: &[u8]| {
        let rest = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        char::from(*rest.first()?).to_digit(10)
    };
    values.find_map(digit).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one entry.
    fn exif(kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let [count, first] = [count, 8].map(u32::to_le_bytes);
        let head = [&b"II*\0"[..], &first, b"\x01\0\x12\x01", &kind.to_le_bytes(), &count];
        [&head.concat()[..], &value, &[0; 4]].concat()
    }

    fn found(exif: &[u8], xmp: &[u8]) -> Option<Orientation> {
        Metadata { exif: Some(exif.into()), xmp: Some(xmp.into()) }.orientation()
    }

    #[test]
    fn an_orientation_is_a_whole_number_of_any_type() {
        for kind in [1, 3, 4, 6, 7, 8, 9] {
            let found = found(&exif(kind, 1, [6, 0, 0, 0]), b"");
            assert_eq!(found, Some(Orientation::Rotate90), "type {kind}");
        }
        for kind in [2, 5, 11, 12, 99] {
            assert_eq!(found(&exif(kind, 1, [6, 0, 0, 0]), b""), None, "type {kind}");
        }
        assert_eq!(found(&exif(3, 1, [9, 0, 0, 0]), b""), None);
        assert_eq!(found(&exif(6, 1, [0xfa, 0, 0, 0]), b""), None);
        assert_eq!(found(&exif(4, 1, [6, 1, 0, 0]), b""), None);
        assert_eq!(found(&exif(3, 0, [6, 0, 0, 0]), b""), None);
    }

    #[test]
    fn what_announces_exif_may_be_there_or_not() {
        let exif = exif(3, 1, [8, 0, 0, 0]);
        for times in 0..3 {
            let exif = [&b"Exif\0\0".repeat(times)[..], &exif].concat();
            assert_eq!(found(&exif, b""), Some(Orientation::Rotate270), "{times} times");
        }
    }

    #[test]
    fn xmp_is_asked_where_exif_says_nothing() {
        let element = b"<tiff:Orientation>3</tiff:Orientation>";
        assert_eq!(found(b"", b"<x tiff:Orientation=\"6\"/>"), Some(Orientation::Rotate90));
        assert_eq!(found(b"", element), Some(Orientation::Rotate180));
        assert_eq!(found(&exif(3, 1, [1, 0, 0, 0]), element), Some(Orientation::NoTransforms));
        assert_eq!(found(&exif(3, 1, [0, 0, 0, 0]), element), None);
        assert_eq!(found(b"", b"<x tiff:Orientation='6'/>"), None);
    }

    #[test]
    fn what_is_cut_short_says_nothing() {
        let whole = exif(3, 1, [6, 0, 0, 0]);
        for length in 0..whole.len() - 4 {
            assert_eq!(found(&whole[..length], b""), None, "{length} bytes");
        }
    }
}
