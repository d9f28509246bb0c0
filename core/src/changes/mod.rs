//! What has changed between two images: distances by cell, and regions.
//!
//! The images are aligned, and cut into tiles. A model computes a map of each tile. The distances between the maps tell
//! which cells are changed.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sides have at most 2080 pixels, and places are checked against them"
)]

mod alignment;
mod compared;
mod distances;
mod grid;
mod kind;
mod light;
mod mask;
mod not_compared;
mod outline;
mod overlay;
mod regions;
mod render;
mod views;

pub use alignment::{Align, AlignmentFailed, AlignmentKind, Placement, UnknownAlign, align};
pub use compared::Compared;
pub use distances::{Distances, Layout};
pub use grid::Grid;
pub use kind::Kind;
pub use light::{Light, Tone};
pub use mask::{Mask, Rectangle, light_pixels};
pub use not_compared::NotCompared;
pub use overlay::{Overlay, overlay};
pub use regions::{Region, RegionDistance, connected};
pub use views::{Ignored, Views};
