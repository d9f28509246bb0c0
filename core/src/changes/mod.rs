//! What has changed between two photographs of one scene.
//!
//! The photographs are `before` and `after`. A [`Placement`] states where `after` lies in `before`. This module knows
//! no network, no queue and no HTTP.

mod alignment;

pub use alignment::{Align, AlignmentFailed, AlignmentKind, Placement, UnknownAlign, align};
