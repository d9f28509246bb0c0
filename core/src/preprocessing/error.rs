//! Why an upload is no image.

use std::fmt::Display;

use image::ImageError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an upload can't be made into [`Pixels`](super::Pixels).
///
/// It can be serialised, as a decode may run in another process.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("the image is empty")]
    Empty,
    /// Not a format that is decoded here.
    #[error("the image is none of JPEG, PNG, WebP, GIF, BMP, TIFF and PNM")]
    UnknownFormat,
    /// A known format in a form that is not decoded here, such as a BMP of a coding of its own.
    #[error("the image is of a kind of its format that is not supported")]
    Unsupported(#[source] Diagnosis),
    /// The same, told by name: all its words are our own.
    #[error("a {format} of a kind that is not decoded here: {kind}")]
    UnsupportedKind {
        /// `TIFF`, say.
        format: Box<str>,
        /// What it is that is not decoded.
        kind: Box<str>,
    },
    /// Decoding would cost more pixels or memory than the [`Limits`](super::Limits) allow.
    #[error("the image is too large")]
    TooLarge,
    /// Decoding was stopped, as it took more memory or CPU time than is allowed.
    #[error("decoding the image was stopped")]
    TooCostly(#[source] Diagnosis),
    /// It names a known format but does not follow it.
    #[error("the image is corrupt")]
    Corrupt(#[source] Diagnosis),
    /// It ends before its last pixel.
    #[error("the image is cut short")]
    CutShort,
    /// What decodes or resizes it has a defect: it panicked or crashed, which costs this image only.
    #[error("the decoder failed")]
    DecoderFailed(#[source] Diagnosis),
    /// There is no process to decode it: the system gives none.
    #[error("nothing can decode the image now")]
    NoDecoder(#[source] Diagnosis),
}

/// What is said of an upload by what decodes it: at most 200 characters, as it may quote the upload.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Diagnosis(String);

impl Diagnosis {
    /// Takes a text, or the beginning of it, without control characters.
    pub fn new(text: impl Display) -> Self {
        const LONGEST: usize = 200;
        let text = text.to_string();
        Self(text.chars().filter(|character| !character.is_control()).take(LONGEST).collect())
    }
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
