//! Image preprocessing: from an upload to the pixels that a model reads.
//!
//! An *upload* (the bytes as received) is decoded to an upright *image*. The image is converted to the [`Pixels`] that
//! the model's [`Preprocessing`] specifies: colour first, then size, then scale. The results equal those of Pillow's
//! `convert` and `resize(..., BILINEAR)`, because models are trained on these. This module knows no model, no queue
//! and no HTTP.

#![expect(
    clippy::inline_always,
    reason = "code that is not inlined is compiled without wide vectors"
)]

mod align;
mod area;
mod colour;
mod decode;
mod decoding;
mod error;
mod fit;
mod photograph;
mod pixels;
mod preprocess;
mod reduction;
mod resize;
mod samples;
mod sharpness;
mod side;
mod similarity;
mod statistics;
mod warp;

pub use align::{Alignment, InvalidAlignment, Landmarks};
pub use area::Area;
pub use colour::Colour;
pub(crate) use decode::guard;
pub use decode::{Estimate, Limits, catches};
pub use decoding::{Decoded, Decoding, Form};
pub use error::{DecodeError, Diagnosis, FORMATS, NotDecoded};
pub use fit::Fit;
pub use photograph::{Detail, Photograph, PhotographForm, Point, Square};
pub use pixels::Pixels;
pub(crate) use preprocess::png;
pub use preprocess::{InvalidPreprocessing, Planes, Preprocessing};
pub use reduction::Reduction;
