//! HEIF, the container of HEIC and AVIF. HEIC is decoded if the feature `heic` is enabled.

#[cfg(all(test, feature = "heic"))]
mod files;
#[cfg(feature = "heic")]
mod layout;
#[cfg(feature = "heic")]
mod picture;
#[cfg(feature = "heic")]
mod transforms;

use super::{Estimate, Limits};
use crate::preprocessing::samples::Image;
use crate::preprocessing::{DecodeError, NotDecoded};

/// How the pictures in a file are coded, according to its brands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// HEVC, or a file that states only the container.
    Heic,
    /// AV1.
    Avif,
}

impl Kind {
    /// Reads the box `ftyp`, which comes first. `None` if it is missing, or names no brand of an image.
    pub(super) fn of(upload: &[u8]) -> Option<Self> {
        /// No real file names more.
        const MOST_BRANDS: usize = 64;
        let (length, rest) = upload.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let rest = rest.strip_prefix(b"ftyp")?;
        let (brands, _) = rest[..rest.len().min(length.saturating_sub(8))].as_chunks::<4>();
        let (major, compatible) = brands.split_first()?;
        // The minor version comes between the major brand and the compatible ones.
        let brands = || [major].into_iter().chain(compatible.iter().skip(1)).take(MOST_BRANDS);
        let names = |wanted: &[&[u8; 4]]| brands().any(|brand| wanted.contains(&brand));
        if names(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"]) {
            Some(Self::Heic)
        } else if names(&[b"avif", b"avis"]) {
            Some(Self::Avif)
        } else {
            [b"mif1", b"mif2", b"msf1"].contains(&major).then_some(Self::Heic)
        }
    }
}

/// Decodes the primary image, and turns it as the file states.
pub(super) fn decode(kind: Kind, upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    match kind {
        #[cfg(feature = "heic")]
        Kind::Heic => picture::decode(upload, limits),
        #[cfg(not(feature = "heic"))]
        Kind::Heic => {
            let _ = (upload, limits);
            Err(DecodeError::NotDecoded(NotDecoded::Heic))
        }
        Kind::Avif => Err(DecodeError::NotDecoded(NotDecoded::Avif)),
    }
}

/// The cost of decoding, according to the sizes that the file states. `None` if it is not decoded, which costs nothing.
pub(super) fn estimate(upload: &[u8]) -> Option<Estimate> {
    match Kind::of(upload)? {
        #[cfg(feature = "heic")]
        Kind::Heic => {
            let pixels = layout::stated_pixels(upload).unwrap_or(0);
            Some(Estimate { pixels, passes: 1, is_bounded: false })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands_tell_how_pictures_are_coded() {
        for (brands, kind) in [
            (&b"heic\0\0\0\0mif1heic"[..], Some(Kind::Heic)),
            (b"mif1\0\0\0\0mif1heic", Some(Kind::Heic)),
            (b"mif1\0\0\0\0mif1avifmiaf", Some(Kind::Avif)),
            (b"avif\0\0\0\0mif1miaf", Some(Kind::Avif)),
            (b"mif1\0\0\0\0", Some(Kind::Heic)),
            (b"isom\0\0\0\0mp42", None),
            // The minor version is no brand.
            (b"isomheic", None),
            (b"hei", None),
            (b"", None),
        ] {
            let length = u32::try_from(8 + brands.len()).expect("short").to_be_bytes();
            let upload = [&length[..], b"ftyp", brands, b"heic"].concat();
            assert_eq!(Kind::of(&upload), kind, "{brands:?}");
        }
        assert_eq!(Kind::of(b"\0\0\0\x14ftyp"), None);
        assert_eq!(Kind::of(b"\0\0\0\x14fty"), None);
    }

    #[test]
    fn a_format_that_is_not_decoded_is_named() {
        let avif = decode(Kind::Avif, b"", &Limits::default()).err();
        assert_eq!(avif, Some(DecodeError::NotDecoded(NotDecoded::Avif)));
        assert_eq!(estimate(b"\0\0\0\x10ftypavif\0\0\0\0"), None);
        #[cfg(not(feature = "heic"))]
        {
            let heic = decode(Kind::Heic, b"", &Limits::default()).err();
            assert_eq!(heic, Some(DecodeError::NotDecoded(NotDecoded::Heic)));
            assert_eq!(estimate(b"\0\0\0\x10ftypheic\0\0\0\0"), None);
        }
    }
}
