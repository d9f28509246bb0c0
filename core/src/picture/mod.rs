//! From a stranger's bytes to the pixels a tower reads.
//!
//! An *upload* (bytes as received) is decoded to an upright *picture*, which is turned into the
//! [`Pixels`] that a tower's [`Preparation`] asks for: colour first, then size, then scale. The
//! results are those of Pillow's `convert` and `resize(..., BILINEAR)`, because that is what
//! towers are trained on. Knows no tower, no queue and no HTTP.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for any processor")]

mod colour;
mod decode;
mod error;
mod fit;
mod pixels;
mod preparation;
mod resize;
mod samples;
mod side;

pub use colour::Colour;
pub use decode::{Estimate, Limits, catches};
pub use error::{Diagnosis, PictureError};
pub use fit::Fit;
pub use pixels::Pixels;
pub use preparation::{InvalidPreparation, Planes, Preparation};
