//! From a stranger's bytes to the pixels a tower reads.
//!
//! An *upload* (bytes as received) is decoded to an upright [`Picture`], which a tower's
//! [`Preparation`] turns into [`Pixels`]: colour first, then size, then scale. The results are
//! those of Pillow's `convert` and `resize(..., BILINEAR)`, because that is what towers are
//! trained on. Knows no tower, no queue and no HTTP.

mod colour;
mod decode;
mod error;
mod gif;
mod jpeg;
mod kernel;
mod pixels;
mod preparation;
mod resize;
mod samples;

pub use colour::Colour;
pub use decode::{Limits, decode};
pub use error::PictureError;
pub use pixels::Pixels;
pub use preparation::{InvalidPreparation, Preparation};
pub use resize::Fit;
pub use samples::Picture;
