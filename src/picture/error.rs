//! Why an upload is no picture.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageError;
use thiserror::Error;

/// Why an upload can't be made into [`Pixels`](super::Pixels).
#[derive(Debug, Error)]
pub enum PictureError {
    /// There are no bytes at all.
    #[error("the picture is empty")]
    Empty,
    /// Not a format that is decoded here.
    #[error("the picture is none of JPEG, PNG, WebP, GIF, BMP, TIFF and PNM")]
    UnknownFormat,
    /// A known format in a form that is not decoded here, such as a TIFF of complex numbers.
    #[error("the picture is of a kind of its format that is not supported")]
    Unsupported(#[source] ImageError),
    /// Decoding would cost more pixels or memory than the [`Limits`](super::Limits) allow.
    #[error("the picture is too large")]
    TooLarge,
    /// It names a known format but does not follow it.
    #[error("the picture is corrupt")]
    Corrupt(#[source] ImageError),
    /// It ends before its last pixel.
    #[error("the picture is cut short")]
    CutShort,
    /// What decodes or resizes it panicked, which costs this picture only.
    #[error("the picture could not be worked on")]
    Panicked,
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            ImageError::Unsupported(_) => Self::Unsupported(error),
            _ => Self::Corrupt(error),
        }
    }
}

/// Turns a panic into an error, so that it costs one picture only.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    // Nothing that was at work outlives the call, so there is no state to be left broken.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(PictureError::Panicked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let answer = guard(|| -> Result<(), _> { panic!("a decoder's defect") });
        assert!(matches!(answer, Err(PictureError::Panicked)));
    }
}
