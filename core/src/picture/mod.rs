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
mod estimate;
mod fit;
mod gif;
mod guard;
mod jpeg;
mod kernel;
mod pixels;
mod preparation;
mod resize;
mod samples;
mod side;
mod webp;

pub use colour::Colour;
pub use decode::Limits;
pub use error::{Diagnosis, PictureError};
pub use estimate::Estimate;
pub use fit::Fit;
pub use guard::catches;
pub use pixels::Pixels;
pub use preparation::{InvalidPreparation, Planes, Preparation};
