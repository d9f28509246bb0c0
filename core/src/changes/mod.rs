//! What has changed between two photographs of one scene.
//!
//! The photographs are `before` and `after`. A [`Placement`] states where `after` lies in `before`. This module knows
//! no network, no queue and no HTTP.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sides have at most 2080 pixels, and places are checked against them"
)]

mod alignment;
mod light;
mod overlay;

pub use alignment::{Align, AlignmentFailed, AlignmentKind, Placement, UnknownAlign, align};
pub use light::{Light, Tone};
pub use overlay::{Overlay, overlay};
