//! The model's card: the `siamese.*` keys of its ONNX metadata or of its sidecar.

mod align;
mod golden;
mod held_out;
mod reduction;
mod sidecar;
mod statement;
mod values;
mod weights;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

pub use align::Align;
pub use golden::{Golden, GoldenCheck, GoldenError, GoldenPair};
pub use held_out::HeldOut;
pub use reduction::MeasuredReduction;
pub use sidecar::values as sidecar_values;
pub use statement::Statement;
use values::{Values, invalid};
pub use weights::{Drift, WeightKind, Weights};

use crate::preprocessing::{Colour, Fit, InvalidPreprocessing, Preprocessing};
use crate::score::{
    Calibration, ChangeCalibration, Embedding, Familiarity, InvalidEmbedding, Threshold,
};

/// The prefix of all keys in a model's ONNX metadata. A sidecar omits it.
pub const PREFIX: &str = "siamese.";

/// The keys, without [`PREFIX`]. A card with any other key is refused.
pub const KEYS: [&str; 23] = [
    "name",
    "purpose",
    "limits",
    "input",
    "colour",
    "scale",
    "mean",
    "std",
    "fit",
    "resize",
    "reduction",
    "align",
    "points",
    "detector",
    "embedding",
    "margin",
    "threshold",
    "calibration",
    "changes",
    "familiarity",
    "provenance",
    "weights",
    "golden",
];

/// Everything that the use of a model requires, except the weights.
#[derive(Clone, Debug)]
pub struct Card {
    /// The display name; the file's stem if the card states none.
    pub name: String,
    /// What the model is for.
    pub purpose: Option<Statement>,
    /// What the model is not for, and what it has been trained on.
    pub limits: Option<Statement>,
    /// How an image becomes the model's input.
    pub preprocessing: Preprocessing,
    /// How far a JPEG may be reduced while it is decoded; `None` if it was not measured.
    pub reduction: Option<MeasuredReduction>,
    /// How a face is found and aligned before; `None` if the whole image is used.
    pub align: Option<Align>,
    /// How the output becomes an embedding.
    pub length: Length,
    /// How far training pushed different pairs apart; positive.
    pub margin: Option<f64>,
    /// The largest distance still called same; less than the margin if both are stated.
    pub threshold: Option<Threshold>,
    /// The measured error rates.
    pub calibration: Option<Calibration>,
    /// How the model finds changes, and how often it errs.
    pub changes: Option<ChangeCalibration>,
    /// What the images of the calibration look like to the model.
    pub familiarity: Option<Familiarity>,
    /// The origin: trainer, commit, seed, loss, data. Free JSON, but [without the names](HeldOut) of held-out
    /// identities.
    pub provenance: Option<serde_json::Value>,
    /// How the weights were changed after training, and the cost; `None` if they are as trained.
    pub weights: Option<Weights>,
    /// Pairs whose distances the model must reproduce wherever it runs.
    pub golden: Option<Golden>,
}

/// How a model's output becomes an embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// The output is the embedding.
    #[default]
    AsIs,
    /// The output is divided by its L2 norm.
    Unit,
}

/// Why keys and values are not a valid [`Card`].
#[derive(Debug, Error)]
pub enum CardError {
    /// A required key is missing.
    #[error("the required key `{0}` is missing")]
    Missing(&'static str),
    /// The key is unknown to this version.
    #[error("`{0}` is not a known key (the keys are {keys})", keys = KEYS.join(", "))]
    Unknown(String),
    /// The value is invalid.
    #[error("`{key}` has the invalid value {value:?}: {why}")]
    Invalid {
        /// The key, without prefix.
        key: &'static str,
        /// The value, shortened.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Card {
    /// Reads a card from keys without [`PREFIX`]. `stem` is the name of a model whose card states none.
    pub fn parse(values: &BTreeMap<String, String>, stem: &str) -> Result<Self, CardError> {
        if let Some(unknown) = values.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(CardError::Unknown(unknown.clone()));
        }
        let values = Values(values);
        let Side { height, width } = values.required("input")?;
        let colour: Colour = values.required("colour")?;
        let preprocessing = Preprocessing {
            height,
            width,
            colour,
            fit: values.parsed("fit")?.unwrap_or(Fit::Stretch),
            scale: values.parsed("scale")?.unwrap_or(1.0 / 255.0),
            mean: values.parsed::<Numbers>("mean")?.map_or_else(|| vec![0.0], |numbers| numbers.0),
            std: values.parsed::<Numbers>("std")?.map_or_else(|| vec![1.0], |numbers| numbers.0),
        };
        preprocessing.validate().map_err(|err| {
            let key = match err {
                InvalidPreprocessing::Side => "input",
                InvalidPreprocessing::Scale | InvalidPreprocessing::Contrast(_) => "scale",
                InvalidPreprocessing::Mean | InvalidPreprocessing::Range { .. } => "mean",
                InvalidPreprocessing::Std => "std",
            };
            values.invalid(key, err)
        })?;
        if let Some(resize) = values.get("resize").filter(|resize| *resize != "bilinear") {
            return Err(invalid("resize", resize, "only `bilinear` is supported"));
        }
        let reduction: Option<MeasuredReduction> = values.json("reduction")?;
        if let Some(why) = reduction.as_ref().and_then(MeasuredReduction::refusal) {
            return Err(values.invalid("reduction", why));
        }

        let margin: Option<f64> = values.parsed("margin")?;
        if let Some(margin) = margin.filter(|margin| !(margin.is_finite() && 0.0 < *margin)) {
            return Err(invalid(
                "margin",
                &margin.to_string(),
                "a margin must be positive and finite",
            ));
        }
        let threshold = values
            .parsed::<f64>("threshold")?
            .map(Threshold::try_from)
            .transpose()
            .map_err(|err| values.invalid("threshold", err))?;
        if let (Some(threshold), Some(margin)) = (threshold, margin)
            && !(0.0 < threshold.get() && threshold.get() < margin)
        {
            let why = format!("it must be between 0 and the margin, which is {margin}");
            return Err(invalid("threshold", &threshold.get().to_string(), why));
        }
        Ok(Self {
            name: values
                .parsed::<Statement>("name")?
                .map_or_else(|| stem.to_owned(), |name| name.to_string()),
            purpose: values.parsed("purpose")?,
            limits: values.parsed("limits")?,
            align: Align::read(&values, &preprocessing)?,
            familiarity: familiarity(&values, &preprocessing)?,
            preprocessing,
            reduction,
            length: values.parsed("embedding")?.unwrap_or_default(),
            margin,
            threshold,
            calibration: values.json("calibration")?,
            changes: values.json("changes")?,
            provenance: values
                .json("provenance")?
                .map(|provenance| held_out::with(provenance, HeldOut::stored)),
            weights: values.json("weights")?,
            golden: values.json("golden")?,
        })
    }

    /// The card as ONNX metadata, keys with [`PREFIX`]. [`Card::parse`] reads it back.
    pub fn to_metadata(&self) -> Vec<(String, String)> {
        let Preprocessing { height, width, colour, fit, scale, ref mean, ref std } =
            self.preprocessing;
        let stated = [
            ("name", Some(self.name.clone())),
            ("purpose", self.purpose.as_ref().map(ToString::to_string)),
            ("limits", self.limits.as_ref().map(ToString::to_string)),
            ("input", Some(format!("{height}x{width}"))),
            ("colour", Some(colour.to_string())),
            ("scale", Some(scale.to_string())),
            ("mean", Some(Numbers::join(mean))),
            ("std", Some(Numbers::join(std))),
            ("fit", Some(fit.to_string())),
            ("resize", Some("bilinear".to_owned())),
            ("reduction", self.reduction.as_ref().map(json)),
            ("align", self.align.as_ref().map(|_| Align::FACE.to_owned())),
            ("points", self.align.as_ref().map(|align| align.points.to_string())),
            ("detector", self.align.as_ref().map(|align| align.detector.to_string())),
            ("embedding", Some(self.length.to_string())),
            ("margin", self.margin.map(|margin| margin.to_string())),
            ("threshold", self.threshold.map(|threshold| threshold.get().to_string())),
            ("calibration", self.calibration.as_ref().map(json)),
            ("changes", self.changes.as_ref().map(json)),
            ("familiarity", self.familiarity.as_ref().map(json)),
            ("provenance", self.provenance.as_ref().map(json)),
            ("weights", self.weights.as_ref().map(json)),
            ("golden", self.golden.as_ref().map(json)),
        ];
        stated
            .into_iter()
            .filter_map(|(key, value)| Some((format!("{PREFIX}{key}"), value?)))
            .collect()
    }

    /// The provenance for responses and reports.
    pub fn published_provenance(&self) -> Option<serde_json::Value> {
        let provenance = self.provenance.clone()?;
        Some(held_out::with(provenance, HeldOut::published))
    }

    /// Turns the model's output into an embedding.
    pub(in crate::model) fn embedding(
        &self,
        output: &[f32],
    ) -> Result<Embedding, InvalidEmbedding> {
        let embedding = Embedding::new(output)?;
        match self.length {
            Length::AsIs => Ok(embedding),
            Length::Unit => embedding.into_unit(),
        }
    }
}

impl Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AsIs => "as-is",
            Self::Unit => "unit",
        })
    }
}

impl FromStr for Length {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "as-is" => Ok(Self::AsIs),
            "unit" => Ok(Self::Unit),
            _ => Err("it must be `as-is` or `unit`"),
        }
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a card's parts have text keys and finite numbers")
}

/// Reads the description of the calibration images, which must be of this preprocessing.
fn familiarity(
    values: &Values,
    preprocessing: &Preprocessing,
) -> Result<Option<Familiarity>, CardError> {
    let described: Option<Familiarity> = values.json("familiarity")?;
    if let Some(found) = described.as_ref().map(Familiarity::statistics)
        && found != preprocessing.statistics_count()
    {
        let why = format!(
            "it has {found} statistics of an image, but this input has {}: calibrate the model again",
            preprocessing.statistics_count()
        );
        return Err(values.invalid("familiarity", why));
    }
    Ok(described)
}

/// `112` or `112x92`: height, then width.
struct Side {
    height: u32,
    width: u32,
}

impl FromStr for Side {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "it must be a side like `112`, or height and width like `112x92`";
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        match (height.parse(), width.parse()) {
            (Ok(height), Ok(width)) => Ok(Self { height, width }),
            _ => Err(FORM),
        }
    }
}

/// One number for all channels, or one for each channel, separated by commas.
struct Numbers(Vec<f32>);

impl Numbers {
    fn join(numbers: &[f32]) -> String {
        numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for Numbers {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|number| number.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: &str = r#"{"kind":"int8","made_from":"sha256:00","drift":{"data":"faces",
        "data_digest":"sha256:01","split":"identities unseen in training","pairs":4950,"threshold":0.75,
        "median":0.003,"largest":0.03,"median_of_threshold":0.004,"largest_of_threshold":0.04,"flipped":0.001}}"#;

    const REDUCTION: &str = r#"{"samples":2.0,"pairs":276,"mean_of_threshold":0.003,"largest_of_threshold":0.02,
        "flipped":0.0}"#;

    fn card(entries: &[(&str, &str)]) -> Result<Card, CardError> {
        let values = entries.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Card::parse(&values, "stem")
    }

    #[track_caller]
    fn refused(key: &str, value: &str, with: &str) {
        let mut entries = vec![("input", "112"), ("colour", "grey"), ("margin", "2")];
        entries.retain(|(present, _)| *present != key);
        entries.push((key, value));
        let message = card(&entries).expect_err("no card").to_string();
        assert!(message.contains(with) && message.contains(key), "{message}");
    }

    #[test]
    fn two_keys_make_a_card() {
        let card = card(&[("input", "112x92"), ("colour", "grey")]).expect("a card");
        assert_eq!(card.name, "stem");
        assert_eq!(card.preprocessing.shape(), [1, 112, 92]);
        assert_eq!(card.length, Length::AsIs);
        assert!(card.threshold.is_none() && card.margin.is_none());
    }

    #[test]
    fn metadata_are_read_back() {
        let written = card(&[
            ("name", "parts"),
            ("purpose", "Tells machine parts apart."),
            ("limits", "Trained on twelve bolts."),
            ("input", "64"),
            ("colour", "rgb"),
            ("mean", "0.5,0.4,0.3"),
            ("std", "0.2"),
            ("fit", "pad"),
            ("embedding", "unit"),
            ("margin", "2"),
            ("threshold", "0.75"),
            ("provenance", r#"{"seed":1}"#),
            ("weights", WEIGHTS),
            ("reduction", REDUCTION),
        ])
        .expect("a card");
        let values = written
            .to_metadata()
            .into_iter()
            .map(|(key, value)| (key.trim_start_matches(PREFIX).to_owned(), value))
            .collect();
        let read = Card::parse(&values, "other").expect("a card");
        assert_eq!(read.to_metadata(), written.to_metadata());
        assert_eq!(read.preprocessing, written.preprocessing);
        assert_eq!(read.threshold.map(Threshold::get), Some(0.75));
        assert_eq!(
            read.purpose.as_ref().map(Statement::as_str),
            Some("Tells machine parts apart.")
        );
        assert_eq!(read.limits.as_ref().map(Statement::as_str), Some("Trained on twelve bolts."));
        assert_eq!(read.weights, written.weights);
        assert_eq!(read.reduction.map(|reduction| reduction.pairs), Some(276));
        assert_eq!(read.weights.map(|weights| weights.drift.pairs), Some(4950));
    }

    #[test]
    fn an_invalid_value_is_refused_with_its_key() {
        refused("name", "", "empty");
        refused("name", "\u{1b}[31mred", "control characters");
        refused("purpose", " ", "empty");
        refused("limits", "a\nb", "one line");
        refused("input", "0", "input");
        refused("input", "112x", "height and width");
        refused("colour", "blue", "colour");
        refused("std", "0", "std");
        refused("mean", "1,2", "mean");
        refused("resize", "nearest", "bilinear");
        refused("embedding", "long", "unit");
        refused("margin", "-1", "positive");
        refused("threshold", "2.5", "margin");
        refused("threshold", "NaN", "finite");
        refused("calibration", "{", "calibration");
        refused("weights", &WEIGHTS.replace("int8", "int3"), "int3");
        refused("reduction", &REDUCTION.replace("2.0", "0.5"), "between 1 and 16");
        refused("tresh", "1", "not a known key");
    }

    #[test]
    fn a_missing_required_key_is_named() {
        let message = card(&[("colour", "grey")]).expect_err("no input").to_string();
        assert_eq!(message, "the required key `input` is missing");
    }
}
