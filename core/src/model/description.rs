//! The description of a loaded model.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{
    Card, GoldenCheck, Length, MeasuredReduction, Preprocessor, Provider, Statement, Weights,
};
use crate::preprocessing::{Alignment, Preprocessing};
use crate::score::{
    Calibration, ChangeCalibration, Familiarity, OperatingPoint, UNFAMILIAR, Unseen,
};

/// The description of a loaded model.
#[derive(Clone, Debug)]
pub struct Description {
    /// The card from the model file or the sidecar.
    pub card: Arc<Card>,
    /// From uploads to the model's input.
    pub preprocessor: Arc<Preprocessor>,
    /// `sha256:` and the hex digest over everything that determines an embedding.
    pub digest: String,
    /// The number of coordinates of an embedding.
    pub width: usize,
    /// Rows and columns of the map of an input; `None` if the model has no map.
    pub map: Option<[usize; 2]>,
    /// The execution provider that runs the model.
    pub provider: Provider,
    /// Whether the model takes only one image in a run, so that images can't be batched.
    pub one_at_a_time: bool,
    /// The golden pairs. If the model carries none: a synthetic pair with its distance at load.
    pub golden: GoldenCheck,
}

/// The part of a response that identifies the model.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ModelSignature))]
pub struct Signature<'a> {
    name: &'a str,
    digest: &'a str,
}

impl Description {
    /// The model's name and digest.
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
    /// The places of an input for which the model has an output of its own; null if it sees an input as a whole.
    map: Option<Places>,
    margin: Option<f64>,
    threshold: Option<f64>,
    calibration: Option<Measured<'a>>,
    operating_points: Vec<OperatingPoint>,
    /// How the model finds changes; null if it is not calibrated for that.
    changes: Option<Changing<'a>>,
    /// What is known of the images of the calibration; null if the card does not describe them, so that no image has a
    /// familiarity.
    familiarity: Option<Described>,
    provenance: Option<serde_json::Value>,
    weights: Option<&'a Weights>,
    golden_pairs: usize,
    one_at_a_time: bool,
    device: &'static str,
    execution_provider: Provider,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ModelInput))]
struct Input<'a> {
    shape: [usize; 3],
    resize: &'static str,
    #[serde(flatten)]
    preprocessing: &'a Preprocessing,
    /// How far a JPEG may be reduced while it is decoded; absent if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    reduction: Option<MeasuredReduction>,
    /// Where the points of a face lie in the input, in pixels; absent if the model does not align faces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::preprocessing::Landmarks>, nullable = false))]
    align: Option<Alignment>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ModelOutput))]
struct Output {
    width: usize,
    length: Length,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ModelMap))]
struct Places {
    rows: usize,
    columns: usize,
}

/// How the model finds changes between two images.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ChangesCalibration))]
struct Changing<'a> {
    /// The largest distance of an unchanged cell.
    threshold: f64,
    /// The error rates for one cell. Unchanged cells are the same pairs, and changed cells the different pairs.
    cells: Measured<'a>,
    /// The error rates for a pair of images, whose distance is that of the most different cell.
    images: Measured<'a>,
    /// For cells.
    operating_points: Vec<OperatingPoint>,
    /// For pairs of images.
    image_operating_points: Vec<OperatingPoint>,
}

impl<'a> From<&'a ChangeCalibration> for Changing<'a> {
    fn from(changes: &'a ChangeCalibration) -> Self {
        Self {
            threshold: changes.threshold.get(),
            cells: (&changes.cells).into(),
            images: (&changes.images).into(),
            operating_points: changes.cells.operating_points().collect(),
            image_operating_points: changes.images.operating_points().collect(),
        }
    }
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

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Familiarity))]
struct Described {
    images: u64,
    identities: u64,
    /// An image with a lower familiarity has the warning `unfamiliar`.
    unfamiliar_below: f64,
    /// A stream of images with a lower mean familiarity counts as unlike the calibration.
    tolerated_mean: f64,
}

impl<'a> From<&'a Calibration> for Measured<'a> {
    fn from(calibration: &'a Calibration) -> Self {
        Self {
            data: calibration.data(),
            split: calibration.split(),
            identities: calibration.identities(),
            same_pairs: calibration.same_pairs(),
            different_pairs: calibration.different_pairs(),
            eer: calibration.eer(),
            unseen: calibration.unseen(),
        }
    }
}

impl From<&Familiarity> for Described {
    fn from(described: &Familiarity) -> Self {
        Self {
            images: described.images(),
            identities: described.identities(),
            unfamiliar_below: UNFAMILIAR,
            tolerated_mean: described.tolerated(),
        }
    }
}

/// The card as `GET /model` returns it: without the golden images, with the execution provider in use.
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
                reduction: card.reduction,
                align: card.align.as_ref().map(|align| align.points),
            },
            embedding: Output { width: self.width, length: card.length },
            map: self.map.map(|[rows, columns]| Places { rows, columns }),
            margin: card.margin,
            threshold: card.threshold.map(f64::from),
            calibration: calibration.map(Measured::from),
            operating_points: calibration
                .map(|calibration| calibration.operating_points().collect())
                .unwrap_or_default(),
            changes: card.changes.as_ref().map(Changing::from),
            familiarity: card.familiarity.as_ref().map(Described::from),
            provenance: card.published_provenance(),
            weights: card.weights.as_ref(),
            golden_pairs: card.golden.as_ref().map_or(0, |golden| golden.pairs.len()),
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
