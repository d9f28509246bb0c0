//! The result of an alignment.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::AlignmentKind;
use super::transform::Transform;
use crate::preprocessing::Point;

/// Where a photograph, `after`, lies in an earlier one, `before`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Placement {
    /// How `after` is aligned.
    pub kind: AlignmentKind,
    /// Maps a place `[x, y, 1]` of `after` to one of `before`. Places are pixels: columns from the left, rows from the
    /// top. The centre of the first pixel is `[0.5, 0.5]`.
    pub matrix: [[f64; 3]; 2],
    /// How certain the alignment is, from 0 to 1: the share of the detail that agrees where both images are, less if
    /// another shift explains the images as well. 0 if there is no detail.
    pub confidence: f64,
    /// The share of the area of `after` that `before` covers, from 0 to 1.
    pub overlap: f64,
}

/// The alignment that was asked for cannot be found: the images differ too much, or repeat themselves.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("the images cannot be aligned: the confidence is {confidence:.2}")]
pub struct AlignmentFailed {
    /// That of the best alignment that was found, from 0 to 1.
    pub confidence: f64,
}

impl Placement {
    /// Where a place of `after` is in `before`.
    pub fn apply(&self, place: Point) -> Point {
        Transform(self.matrix).apply(place)
    }
}
