//! The metadata of a JPEG: segments before its first scan.

use std::borrow::Cow;

use super::Metadata;
use crate::preprocessing::decode::jpeg::segments::segments;

/// What announces XMP in a segment.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// EXIF in parts is one, as Pillow takes it; of XMP the last counts.
pub(super) fn metadata(upload: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    // EXIF and XMP stand in segments of one kind.
    let before_scans = segments(upload).take_while(|segment| segment.marker != 0xda);
    for segment in before_scans.filter(|segment| segment.marker == 0xe1) {
        let segment = segment.content;
        if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
            match &mut found.exif {
                None => found.exif = Some(exif.into()),
                Some(parts) => parts.to_mut().extend_from_slice(exif),
            }
        } else if let Some(xmp) = segment.strip_prefix(XMP) {
            found.xmp = Some(Cow::from(xmp));
        }
    }
    found
}
