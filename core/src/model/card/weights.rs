//! The part of a card about weights that were reduced in size, and the effect on distances.

use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};

/// Weights that were changed after training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// How the weights are stored now.
    pub kind: WeightKind,
    /// The digest of the model before the change.
    pub made_from: String,
    /// The effect on distances.
    pub drift: Drift,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WeightKind {
    /// Large linear layers in 8 bits, all other layers in single precision.
    Int8,
}

/// How much the distances of the same pairs changed compared with the trained weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The name of the data set.
    pub data: String,
    /// The digest of the data set.
    pub data_digest: String,
    /// How its identities relate to the training data.
    pub split: String,
    /// The number of measured pairs; at least 1.
    pub pairs: u64,
    /// The model's threshold, at which the pairs were judged.
    pub threshold: f64,
    /// The median change of a distance.
    pub median: f64,
    /// The largest change of a distance.
    pub largest: f64,
    /// `median` as a share of the threshold.
    pub median_of_threshold: f64,
    /// `largest` as a share of the threshold.
    pub largest_of_threshold: f64,
    /// The share of the pairs whose verdict changed.
    pub flipped: f64,
}

impl Display for Drift {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "distances changed by a median of {:.2} % of the threshold {:.4} and by at most {:.2} %; \
             {:.3} % of {} verdicts changed ({}, {})",
            100.0 * self.median_of_threshold,
            self.threshold,
            100.0 * self.largest_of_threshold,
            100.0 * self.flipped,
            self.pairs,
            self.data,
            self.split,
        )
    }
}
