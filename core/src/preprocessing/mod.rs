//! From a stranger's bytes to the pixels a model reads.
//!
//! An *upload* (bytes as received) is decoded to an upright *image*, which is turned into the
//! [`Pixels`] that a model's [`Preprocessing`] asks for: colour first, then size, then scale. The
//! results are those of Pillow's `convert` and `resize(..., BILINEAR)`, because that is what
//! models are trained on. Knows no model, no queue and no HTTP.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for any processor")]

mod colour;
mod decode;
mod error;
mod fit;
mod pixels;
mod preprocess;
mod resize;
mod samples;
mod side;

pub use colour::Colour;
pub use decode::{Estimate, Limits, catches};
pub use error::{DecodeError, Diagnosis};
pub use fit::Fit;
pub use pixels::Pixels;
pub use preprocess::{InvalidPreprocessing, Planes, Preprocessing};
