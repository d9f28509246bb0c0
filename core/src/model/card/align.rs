//! How a face is found and aligned before it becomes the model's input.

use super::CardError;
use super::values::{Values, invalid};
use crate::model::faces::Detector;
use crate::preprocessing::{Alignment, Preprocessing};

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

    /// The alignment: its three keys are stated together, or not at all. The points lie within the input.
    pub(super) fn read(
        values: &Values<'_>,
        preprocessing: &Preprocessing,
    ) -> Result<Option<Self>, CardError> {
        match values.get("align") {
            None => {
                match ["points", "detector"].into_iter().find(|key| values.get(key).is_some()) {
                    None => Ok(None),
                    Some(_) => Err(CardError::Missing("align")),
                }
            }
            Some(Self::FACE) => {
                let points: Alignment = values.required("points")?;
                if !points.is_a_face_in(preprocessing) {
                    let why = "the two eyes from left to right, the nose and the mouth must lie apart and within the \
                               input, in pixels";
                    return Err(values.invalid("points", why));
                }
                Ok(Some(Self { points, detector: values.required("detector")? }))
            }
            Some(other) => Err(invalid("align", other, "only `face` is supported")),
        }
    }
}
