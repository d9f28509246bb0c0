//! A check of a model's probabilities.

use serde::Serialize;
use siamese_core::score::{Calibration, Distance, Probability, Scores};

use crate::statistics::{Bootstrap, Cllr, Comparisons, ReliabilityBin, reliability};

/// The quality of the probabilities.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbabilityCheck {
    /// Whether the probabilities come from the model. Otherwise they come from a curve fitted to the evaluated pairs, and
    /// the result is too good.
    pub from_model: bool,
    /// The cost of the probabilities, in bits per pair.
    pub cllr: Cllr,
    /// The observed share of same pairs for each range of stated probabilities.
    pub bins: Vec<ReliabilityBin>,
}

impl ProbabilityCheck {
    pub(super) fn of(
        comparisons: &Comparisons,
        scores: &Scores,
        calibration: Option<&Calibration>,
        bootstrap: Bootstrap,
    ) -> Self {
        let fitted = Probability::fit(scores);
        let stated = |distance: Distance| calibration?.probability(distance);
        let from_model = Distance::try_from(0.0).ok().and_then(stated).is_some();
        let probability = |value: f64| {
            Distance::try_from(value)
                .map_or(0.5, |distance| stated(distance).unwrap_or_else(|| fitted.at(distance)))
        };
        Self {
            from_model,
            cllr: Cllr::of(scores, probability),
            bins: reliability(comparisons, probability, bootstrap),
        }
    }
}
