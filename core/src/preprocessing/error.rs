//! Why an upload can't be decoded.

use std::fmt::Display;

use image::ImageError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an upload can't be turned into [`Pixels`](super::Pixels).
///
/// It can be serialised, because a decode may run in another process.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the image is empty")]
    Empty,
    /// The format is unknown.
    #[error("the image is not a {FORMATS} file")]
    UnknownFormat,
    /// The format is known, but this build does not decode it.
    #[error("the image is {0}")]
    NotDecoded(NotDecoded),
    /// The format is known, but this variant is not supported, such as a BMP with a rare encoding.
    #[error("the image uses a variant of its format that is not supported")]
    Unsupported(#[source] Diagnosis),
    /// The format is known, but this kind of it is not supported. The message contains only our own words.
    #[error("a {format} of a kind that is not decoded here: {kind}")]
    UnsupportedKind {
        /// The format, such as `TIFF`.
        format: Box<str>,
        /// The kind that is not supported.
        kind: Box<str>,
    },
    /// Decoding would exceed the pixels or the memory of the [`Limits`](super::Limits).
    #[error("the image is too large")]
    TooLarge,
    /// Decoding was stopped because it exceeded the memory or the CPU time allowed.
    #[error("decoding the image was stopped because it exceeded a resource limit")]
    TooCostly(#[source] Diagnosis),
    /// The bytes violate their format.
    #[error("the image is corrupt")]
    Corrupt(#[source] Diagnosis),
    /// The bytes end before the last pixel.
    #[error("the image is truncated")]
    CutShort,
    /// No face is in the image, and the model needs one.
    #[error("no face was found in the image")]
    FaceNotFound,
    /// Several faces are in the image, and the request allows only one. Holds the boxes of those that were found until
    /// then: left, top, width, height.
    #[error("several faces are in the image, among them {}", boxes(.0))]
    FaceAmbiguous(Vec<[u32; 4]>),
    /// The decoder or the resize has a defect: it panicked or crashed. Only this image is affected.
    #[error("the decoder failed")]
    DecoderFailed(#[source] Diagnosis),
    /// No process can be started to decode the image.
    #[error("no decoder is available for the image")]
    NoDecoder(#[source] Diagnosis),
}

/// The formats that this build decodes, as part of a sentence.
pub const FORMATS: &str = if cfg!(feature = "heic") {
    "JPEG, PNG, WebP, GIF, BMP, TIFF, PNM or HEIC"
} else {
    "JPEG, PNG, WebP, GIF, BMP, TIFF or PNM"
};

/// A format that is recognised, and that this build does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum NotDecoded {
    /// HEVC pictures in HEIF, in a build without the feature `heic`.
    #[error(
        "a HEIC file, which only a build with the feature `heic` decodes: convert it to JPEG or PNG"
    )]
    Heic,
    /// AV1 pictures in HEIF.
    #[error("an AVIF file, which is not decoded: convert it to JPEG or PNG")]
    Avif,
}

/// A decoder's message about an upload: at most 200 characters, because it may quote the upload.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Diagnosis(String);

impl Diagnosis {
    /// Takes the beginning of a text, without control characters.
    pub fn new(text: impl Display) -> Self {
        const LONGEST: usize = 200;
        let text = text.to_string();
        Self(text.chars().filter(|character| !character.is_control()).take(LONGEST).collect())
    }
}

/// The first boxes of faces, as text.
fn boxes(all: &[[u32; 4]]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<String> = all
        .iter()
        .take(SHOWN)
        .map(|[x, y, width, height]| format!("{width}x{height} at ({x}, {y})"))
        .collect();
    if SHOWN < all.len() {
        text.push("…".to_owned());
    }
    text.join(", ")
}

impl DecodeError {
    /// Of a kind of a format that is not decoded here.
    pub(super) fn unsupported_kind(format: &str, kind: impl Display) -> Self {
        Self::UnsupportedKind { format: format.into(), kind: kind.to_string().into() }
    }
}

impl From<ImageError> for DecodeError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            ImageError::Unsupported(_) => Self::Unsupported(Diagnosis::new(error)),
            _ => Self::Corrupt(Diagnosis::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_is_one_short_line() {
        let text = Diagnosis::new("bad\r\nchunk ".repeat(1000)).to_string();
        assert_eq!(text.chars().count(), 200);
        assert!(text.starts_with("badchunk bad"));
    }
}
