//! Finds where a photograph lies in an earlier one of the same scene: not moved, shifted, or affine.
//!
//! A shift is searched by phase correlation, an affine transform by features. Both run on reduced images. The result is
//! refined by the intensities, up to the full resolution. How well the images agree after that, tile by tile, decides
//! between the results, and is the confidence. All of this uses [reliefs](relief): the images without their light.

mod agreement;
mod choice;
mod equations;
mod features;
mod kind;
mod pair;
mod placement;
mod plane;
mod refine;
mod relief;
mod shift;
#[cfg(test)]
mod tests;
mod transform;

pub use choice::align;
pub use kind::{Align, AlignmentKind, UnknownAlign};
pub use placement::{AlignmentFailed, Placement};
pub(super) use transform::Transform;
