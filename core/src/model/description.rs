//! What is known of a loaded model, for whoever asks.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Card, GoldenCheck, Length, Provider, Statement, Weights};
use crate::preprocessing::Preprocessing;
use crate::score::{OperatingPoint, Unseen};

/// What is known of a loaded model.
#[derive(Clone, Debug)]
pub struct Description {
    /// What its file, or sidecar, says.
    pub card: Arc<Card>,
    /// `sha256:` and the hex digest over everything that determines an embedding.
    pub digest: String,
    /// Coordinates of an embedding.
    pub width: usize,
    /// What runs it.
    pub provider: Provider,
    /// Whether it takes one image a run only, and so can't be batched.
    pub one_at_a_time: bool,
    /// Its golden pairs; where it carries none, a made pair as this very model had it at load.
    pub golden: GoldenCheck,
}

/// What an answer says of the model that made it.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signature<'a> {
    name: &'a str,
    digest: &'a str,
}

impl Description {
    /// Its name and digest.
    pub fn signature(&self) -> Signature<'_> {
        Signature { name: &self.card.name, digest: &self.digest }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Published<'a> {
    name: &'a str,
    /// What the model is for, in a sentence; null if its card does not say.
    purpose: Option<&'a Statement>,
    /// What the model is not for, in a sentence; null if its card does not say.
    limits: Option<&'a Statement>,
    digest: &'a str,
    input: Input<'a>,
    embedding: Output,
    margin: Option<f64>,
    threshold: Option<f64>,
    calibration: Option<Measured<'a>>,
    operating_points: Vec<OperatingPoint>,
    provenance: Option<&'a serde_json::Value>,
    weights: Option<&'a Weights>,
    golden_pairs: usize,
    one_at_a_time: bool,
    device: &'static str,
    execution_provider: Provider,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Input<'a> {
    shape: [usize; 3],
    resize: &'static str,
    #[serde(flatten)]
    preprocessing: &'a Preprocessing,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Output {
    width: usize,
    length: Length,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Calibration))]
struct Measured<'a> {
    data: &'a str,
    split: &'a str,
    identities: u64,
    same_pairs: u64,
    different_pairs: u64,
    eer: f64,
    #[serde(skip_serializing_if = "<[Unseen]>::is_empty")]
    unseen: &'a [Unseen],
}

/// The card as `GET /model` gives it: without the golden images, with what really runs it.
impl Serialize for Description {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let card = self.card.as_ref();
        let calibration = card.calibration.as_ref();
        Published {
            name: &card.name,
            purpose: card.purpose.as_ref(),
            limits: card.limits.as_ref(),
            digest: &self.digest,
            input: Input {
                shape: card.preprocessing.shape(),
                resize: "bilinear",
                preprocessing: &card.preprocessing,
            },
            embedding: Output { width: self.width, length: card.length },
            margin: card.margin,
            threshold: card.threshold.map(f64::from),
            calibration: calibration.map(|it| Measured {
                data: it.data(),
                split: it.split(),
                identities: it.identities(),
                same_pairs: it.same_pairs(),
                different_pairs: it.different_pairs(),
                eer: it.eer(),
                unseen: it.unseen(),
            }),
            operating_points: calibration
                .map(|it| it.operating_points().collect())
                .unwrap_or_default(),
            provenance: card.provenance.as_ref(),
            weights: card.weights.as_ref(),
            golden_pairs: card.golden.as_ref().map_or(0, |it| it.pairs.len()),
            one_at_a_time: self.one_at_a_time,
            device: self.provider.device(),
            execution_provider: self.provider,
        }
        .serialize(serializer)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use std::borrow::Cow;

    use utoipa::openapi::{RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::{Description, Published};

    impl ToSchema for Description {
        fn name() -> Cow<'static, str> {
            "Model".into()
        }

        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            Published::schemas(schemas);
        }
    }

    impl PartialSchema for Description {
        fn schema() -> RefOr<Schema> {
            Published::schema()
        }
    }
}
