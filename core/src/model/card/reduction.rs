//! The part of a card about reduced decodes of JPEG, and their effect on distances.

use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::preprocessing::Reduction;

/// How far a JPEG may be reduced while it is decoded for the model, and how much that changes distances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MeasuredReduction {
    /// The fewest samples that a decode keeps, along each side, for one pixel of the input; between 1 and 16.
    pub samples: f32,
    /// The number of measured pairs; at least 1.
    pub pairs: u64,
    /// The mean change of a distance, as a share of the threshold.
    pub mean_of_threshold: f64,
    /// The largest change of a distance, as a share of the threshold.
    pub largest_of_threshold: f64,
    /// The share of the pairs whose verdict changed.
    pub flipped: f64,
}

impl MeasuredReduction {
    /// Why this is not a possible measurement.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        let is_possible = (1.0..=16.0).contains(&self.samples) && 0 < self.pairs;
        (!is_possible).then_some("`samples` must be between 1 and 16, and `pairs` at least 1")
    }
}

impl From<MeasuredReduction> for Reduction {
    fn from(measured: MeasuredReduction) -> Self {
        Self::Measured(measured.samples)
    }
}

impl Display for MeasuredReduction {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "with {:.2} samples for each pixel of the input, distances changed by {:.2} % of the threshold in the mean and \
             by at most {:.2} %; {:.3} % of {} verdicts changed",
            self.samples,
            100.0 * self.mean_of_threshold,
            100.0 * self.largest_of_threshold,
            100.0 * self.flipped,
            self.pairs,
        )
    }
}
