//! What a model's probabilities are worth.

use serde::Serialize;
use siamese_core::score::{Calibration, Distance, Probability, Scores};

use crate::statistics::{Bootstrap, Cllr, Comparisons, ReliabilityBin, reliability};

/// Probabilities, and what was seen beside them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbabilityCheck {
    /// Whether the model states them; else they come from a curve fitted to these very pairs, which
    /// flatters.
    pub is_the_models: bool,
    /// What they cost in bits a pair.
    pub cllr: Cllr,
    /// What is seen where so much is stated.
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
        let stated = |it: Distance| calibration?.probability(it);
        let is_the_models = Distance::try_from(0.0).ok().and_then(stated).is_some();
        let probability = |it: f64| {
            Distance::try_from(it).map_or(0.5, |it| stated(it).unwrap_or_else(|| fitted.at(it)))
        };
        Self {
            is_the_models,
            cllr: Cllr::of(scores, probability),
            bins: reliability(comparisons, probability, bootstrap),
        }
    }
}
