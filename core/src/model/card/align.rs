//! How a face is found and aligned before it becomes the model's input.

use crate::model::faces::Detector;
use crate::preprocessing::Alignment;

/// The face alignment of a card.
#[derive(Clone, Debug, PartialEq)]
pub struct Align {
    /// Where the points of a face lie in the model's input.
    pub points: Alignment,
    /// The networks that find faces.
    pub detector: Detector,
}

impl Align {
    /// The value of the key `align`.
    pub(super) const FACE: &str = "face";
}
