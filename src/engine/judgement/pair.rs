//! The decision on a pair, and what the model saw of its images.

use serde::Serialize;
use siamese_core::model::Face;
use utoipa::ToSchema;

use super::{Judge, Judgement, Warning};
use crate::engine::cache::EmbeddedImage;

/// What the model saw of an image.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Seen {
    /// The face, in pixels of the image after its orientation is applied.
    pub face: Face,
}

/// The decision on a pair, and what the model saw of the two images.
#[derive(Clone, Serialize, ToSchema)]
pub struct JudgedPair {
    /// The decision.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Absent if the model embeds whole images, or if the source is a stored embedding.
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
        let about =
            |(name, image): (&str, &EmbeddedImage)| Warning::about(name, image.face.as_ref());
        let warnings = names.into_iter().zip(pair).flat_map(about).collect();
        let [a, b] = pair.map(|image| image.face.map(|face| Seen { face }));
        Self { judgement, a, b, warnings }
    }
}
