//! The decision on a pair, and what the model saw of its images.

use serde::Serialize;
use siamese_core::model::Face;
use siamese_core::score::UNFAMILIAR;
use utoipa::ToSchema;

use super::{Judge, Judgement};
use crate::engine::cache::EmbeddedImage;

/// The width of a face, in pixels, below which errors are more frequent. On the calibration data of the shipped model,
/// reduced until the faces were 37 pixels wide, the EER was twice as high, and at 24 pixels eight times.
const SMALL: f64 = 40.0;

/// What the model saw of an image.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Seen {
    /// How much the image is like those that the model was calibrated on: the share of these that are at least as
    /// unusual, above 0 and at most 1. Absent if the model's card does not describe them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, exclusive_minimum = 0.0, maximum = 1.0)]
    pub familiarity: Option<f64>,
    /// The face, in pixels of the image after its orientation is applied. Absent if the model embeds whole images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub face: Option<Face>,
}

/// A reason to trust a result less.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Warning {
    /// A code for programs. It never changes.
    pub code: &'static str,
    /// The image, such as `a` or `images[2]`.
    pub field: String,
    /// A description for people.
    pub detail: String,
}

impl Warning {
    /// The warnings about an image at this path.
    pub fn about(field: &str, face: Option<&Face>) -> Option<Self> {
        let face = face?;
        // A large photograph is reduced before it is searched.
        let width = face.area[2].min(face.searched_width);
        (width < SMALL).then(|| Self {
            code: "face_small",
            field: field.to_owned(),
            detail: format!(
                "the model reads the face at a width of {width:.0} pixels, and errors are more frequent below {SMALL} pixels"
            ),
        })
    }
}

impl Warning {
    /// The code of the warning about an image that is unlike those of the calibration.
    pub const UNFAMILIAR: &'static str = "unfamiliar";

    /// The warning about an image that is unlike those of the calibration.
    pub fn unfamiliar(field: &str, familiarity: Option<f64>) -> Option<Self> {
        familiarity.filter(|familiarity| *familiarity < UNFAMILIAR).map(|_| Self {
            code: Self::UNFAMILIAR,
            field: field.to_owned(),
            detail: "the image is unlike those that this model was calibrated on, so its error rates and probabilities do \
                     not apply"
                .to_owned(),
        })
    }
}

impl Seen {
    /// What is known of an image; `None` if nothing is.
    fn of(&EmbeddedImage { face, familiarity, .. }: &EmbeddedImage) -> Option<Self> {
        (face.is_some() || familiarity.is_some()).then_some(Self { familiarity, face })
    }
}

/// The decision on a pair, and what the model saw of the two images.
#[derive(Clone, Serialize, ToSchema)]
pub struct JudgedPair {
    /// The decision.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Absent if the source is a stored embedding, or if nothing is known of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub a: Option<Seen>,
    /// As `a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub b: Option<Seen>,
    /// Reasons to trust the verdict less; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<Warning>,
}

impl JudgedPair {
    /// Decides on two images; `names` are their paths, for warnings.
    pub fn of(judge: &Judge, pair: [&EmbeddedImage; 2], names: [&str; 2]) -> Self {
        let judgement = judge.judge(pair[0].embedding.distance(&pair[1].embedding));
        let about = |(name, image): (&str, &EmbeddedImage)| {
            let of_face = Warning::about(name, image.face.as_ref());
            of_face.into_iter().chain(Warning::unfamiliar(name, image.familiarity))
        };
        let warnings = names.into_iter().zip(pair).flat_map(about).collect();
        let [a, b] = pair.map(Seen::of);
        Self { judgement, a, b, warnings }
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::preprocessing::Landmarks;

    use super::*;

    #[test]
    fn an_unfamiliar_image_is_warned_of() {
        assert_eq!(Warning::unfamiliar("a", None), None);
        assert_eq!(Warning::unfamiliar("a", Some(0.02)), None);
        let warning = Warning::unfamiliar("a", Some(0.019)).expect("a warning");
        assert_eq!((warning.code, warning.field.as_str()), ("unfamiliar", "a"));
    }

    #[test]
    fn a_small_face_is_warned_of() {
        let points = Landmarks::new([[0.0; 2]; 4]);
        let face = |width| Face {
            area: [0.0, 0.0, 90.0, 90.0],
            points,
            score: 0.9,
            roll: 0.0,
            searched_width: width,
        };
        assert_eq!(Warning::about("a", None), None);
        assert_eq!(Warning::about("a", Some(&face(41.0))), None);
        let warning = Warning::about("b", Some(&face(24.4))).expect("a warning");
        assert_eq!((warning.code, warning.field.as_str()), ("face_small", "b"));
        assert!(warning.detail.contains("24 pixels"), "{}", warning.detail);
    }
}
