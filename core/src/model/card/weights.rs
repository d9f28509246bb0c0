//! What a tower says of weights that were made smaller, and how far that moved its distances.

use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};

/// Weights that are not those that were trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// What they became.
    pub kind: WeightKind,
    /// The digest of the tower that they were made from.
    pub made_from: String,
    /// What it cost.
    pub drift: Drift,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WeightKind {
    /// Large linear layers in 8 bits, everything else in single precision.
    Int8,
}

/// How far distances moved from what they were with the trained weights, on the same pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The name of the pictures.
    pub data: String,
    /// Their digest.
    pub data_digest: String,
    /// How their identities relate to the training.
    pub split: String,
    /// How many pairs were measured; at least 1.
    pub pairs: u64,
    /// The threshold they were judged at, which was the tower's.
    pub threshold: f64,
    /// The median of the changes of a distance.
    pub median: f64,
    /// The largest of them.
    pub largest: f64,
    /// `median` as a share of the threshold.
    pub median_of_threshold: f64,
    /// `largest` as a share of the threshold.
    pub largest_of_threshold: f64,
    /// The share of the pairs with another verdict than before.
    pub flipped: f64,
}

impl Display for Drift {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "distances moved by {:.2} % of the threshold {:.4} in the median, {:.2} % at most, \
             and {:.3} % of {} verdicts flipped ({}, {})",
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
