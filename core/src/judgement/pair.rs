//! The decision on a pair, and what the model saw of its images.

use crate::model::{EmbeddedImage, Face};
use serde::Serialize;

use super::{Judge, Judgement, Warning};

/// What the model saw of an image.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Seen {
    /// How much the image is like those that the model was calibrated on: the share of these that are at least as
    /// unusual, above 0 and at most 1. Absent if the model's card does not describe them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(nullable = false, exclusive_minimum = 0.0, maximum = 1.0)
    )]
    pub familiarity: Option<f64>,
    /// The face, in pixels of the image after its orientation is applied. Absent if the model embeds whole images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub face: Option<Face>,
}

impl Seen {
    /// What is known of an image; `None` if nothing is.
    fn of(&EmbeddedImage { face, familiarity, .. }: &EmbeddedImage) -> Option<Self> {
        (face.is_some() || familiarity.is_some()).then_some(Self { familiarity, face })
    }
}

/// The decision on a pair, and what the model saw of the two images.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgedPair {
    /// The decision.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Absent if the source is a stored embedding, or if nothing is known of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub a: Option<Seen>,
    /// As `a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub b: Option<Seen>,
    /// Reasons to trust the verdict less; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub warnings: Vec<Warning>,
}

impl JudgedPair {
    /// Decides on two images; `names` are their paths, for warnings.
    pub fn of(judge: &Judge, pair: [&EmbeddedImage; 2], names: [&str; 2]) -> Self {
        let judgement = judge.judge(pair[0].embedding.distance(&pair[1].embedding));
        let about = |(name, image): (&str, &EmbeddedImage)| {
            Warning::about(name, image.face.as_ref(), image.familiarity)
        };
        let warnings = names.into_iter().zip(pair).flat_map(about).collect();
        let [a, b] = pair.map(Seen::of);
        Self { judgement, a, b, warnings }
    }
}
