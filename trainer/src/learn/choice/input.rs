//! Chooses the side of the input and the pooling of a backbone.

use std::fmt::{self, Display};

use super::{Grid, closed_form, count, in_folds};
use crate::backbone::{Backbone, Pooling};
use crate::config::{Config, MeasuredInput};
use crate::data::Gallery;

/// The sizes of the heads that inputs are compared with. More sizes take longer.
const GRID: Grid = Grid { components: &[128, 256], widths: &[40], shrinkages: &[0.4] };

/// The share by which an EER must be lower than that of the usual input. A smaller difference is noise with some tens of
/// identities, and another input can cost more time.
const LEAST_GAIN: f64 = 0.05;

/// What was measured, the usual input first.
#[derive(Clone, Debug, PartialEq)]
pub struct InputChoice {
    measured: Vec<MeasuredInput>,
}

impl InputChoice {
    /// Measures features of training images: returns the mean of the equal error rates over the folds, in [0, 1], of the best
    /// head in closed form. `None` if there are too few identities, or too few pairs.
    pub fn eer(features: &Gallery) -> Option<f64> {
        let errors = in_folds(features, |training, held| {
            let candidates = closed_form(training, held, &GRID)?;
            candidates.iter().map(|it| it.eer).min_by(f64::total_cmp)
        })?;
        Some(errors.iter().sum::<f64>() / count(errors.len()))
    }

    /// Starts with what was measured; the first is the usual input. `None` if there is nothing.
    pub fn of(measured: Vec<MeasuredInput>) -> Option<Self> {
        (!measured.is_empty()).then_some(Self { measured })
    }

    /// Adds what was measured with another size.
    pub fn add(&mut self, measured: MeasuredInput) {
        self.measured.push(measured);
    }

    /// Returns the usual input, or the one with the lowest EER if that is clearly lower.
    pub fn best(&self) -> MeasuredInput {
        let usual = self.measured[0];
        let lowest = self.measured.iter().min_by(|one, other| one.eer.total_cmp(&other.eer));
        lowest.filter(|it| it.eer < (1.0 - LEAST_GAIN) * usual.eer).copied().unwrap_or(usual)
    }

    /// Returns the best pooling.
    pub fn pooling(&self) -> Option<Pooling> {
        self.best().pooling
    }

    /// Sets size and pooling in a configuration.
    pub fn apply_to(&self, config: &mut Config, backbone: &Backbone) {
        let MeasuredInput { height, width, pooling, .. } = self.best();
        (config.input.height, config.input.width) = (height, width);
        config.set_pooling(pooling, backbone);
    }

    /// Returns all that was measured, the usual input first.
    pub fn measured(&self) -> &[MeasuredInput] {
        &self.measured
    }
}

impl Display for InputChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = self.best();
        write!(f, "input: {best}, chosen by folds within the training identities")?;
        let others = self.measured.iter().filter(|it| **it != best);
        let others: Vec<_> = others.map(ToString::to_string).collect();
        if others.is_empty() { Ok(()) } else { write!(f, "; others: {}", others.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(eers: &[f64]) -> InputChoice {
        let measured = |(at, eer): (usize, &f64)| {
            let side = 160 + 32 * u32::try_from(at).expect("few");
            MeasuredInput { height: side, width: side, pooling: Some(Pooling::Mean), eer: *eer }
        };
        let measured = eers.iter().enumerate().map(measured).collect();
        InputChoice::of(measured).expect("at least one")
    }

    #[test]
    fn another_input_must_be_clearly_better() {
        assert_eq!(choice(&[0.1, 0.099, 0.12]).best().height, 160);
        assert_eq!(choice(&[0.1, 0.094, 0.09]).best().height, 224);
        assert_eq!(choice(&[0.0, 0.0]).best().height, 160);
    }

    #[test]
    fn the_errors_of_the_others_are_printed() {
        let text = choice(&[0.1, 0.08, 0.12]).to_string();
        assert!(text.starts_with("input: 192x192 mean (EER 8.00 %)"), "{text}");
        assert!(
            text.ends_with("others: 160x160 mean (EER 10.00 %), 224x224 mean (EER 12.00 %)"),
            "{text}"
        );
    }
}
