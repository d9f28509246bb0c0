//! From measured pairs to what a model's card says of itself.

use siamese_core::model::Card;
use siamese_core::score::{
    Calibration, CalibrationError, InvalidUnseen, OperatingPoint, Threshold, Unseen as UnseenRow,
    UnsupportedFmr,
};
use thiserror::Error;

use super::{Embedded, TABLE_FMRS};
use crate::statistics::{Bootstrap, Comparisons, NotComparable, Promise, Unit, Unseen};

/// How a model is to be calibrated.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The largest FMR of the threshold; `None` for the one with equal errors.
    pub fmr: Option<f64>,
    /// How the identities relate to the training.
    pub split: &'a str,
    /// How often identities are resampled for the intervals.
    pub bootstrap: Bootstrap,
}

/// What a model is calibrated to.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The operating point to work at.
    pub point: OperatingPoint,
    /// All of them, and the probabilities.
    pub calibration: Calibration,
    /// What thresholds do to others than they were chosen on; `None` where there are too few to tell.
    pub unseen: Option<Unseen>,
    /// What was resampled.
    pub unit: Unit,
}

/// Why a model could not be calibrated.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// The images make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// The pairs calibrate nothing.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// What is told of people unseen won't do.
    #[error(transparent)]
    Unseen(#[from] InvalidUnseen),
    /// There is no operating point at the FMR asked for.
    #[error(transparent)]
    UnsupportedFmr(#[from] UnsupportedFmr),
    /// The threshold can't be told from "never the same".
    #[error(
        "the threshold would be 0, which calls nothing but equal images the same: the model \
         tells these images apart no better than chance, or the FMR asked for is too small"
    )]
    ThresholdZero,
    /// The threshold lies where training pushed different pairs to.
    #[error(
        "the threshold would be {}, which is not below the model's margin of {margin}: the model \
         tells these images apart badly, or the FMR asked for is too great",
        .threshold.get()
    )]
    ThresholdBeyondMargin {
        /// What these pairs ask for.
        threshold: Threshold,
        /// What the model states.
        margin: f64,
    },
}

/// Measures all pairs, and chooses the threshold.
pub fn calibrate(embedded: &Embedded, wanted: Wanted<'_>) -> Result<Calibrated, CalibrateError> {
    let comparisons = embedded.comparisons()?;
    let asked = wanted.fmr.filter(|it| 0.0 < *it && *it < 1.0 && !TABLE_FMRS.contains(it));
    let fmrs: Vec<f64> = TABLE_FMRS.into_iter().chain(asked).collect();
    let unseen = Unseen::of(&comparisons, &fmrs, wanted.bootstrap);
    let calibration = measure(&embedded.subject().data, wanted.split, &comparisons)?;
    let calibration = match &unseen {
        Some(unseen) => calibration.with_unseen(stated(unseen))?,
        None => calibration,
    };
    let point = choose(&calibration, wanted.fmr, embedded.card().margin)?;
    Ok(Calibrated { point, calibration, unseen, unit: comparisons.unit() })
}

impl Calibrated {
    /// A card that says so.
    #[must_use]
    pub fn on(&self, card: Card) -> Card {
        Card {
            threshold: Some(self.point.threshold),
            calibration: Some(self.calibration.clone()),
            ..card
        }
    }
}

fn measure(
    data: &str,
    split: &str,
    comparisons: &Comparisons,
) -> Result<Calibration, CalibrationError> {
    let [same, different] = comparisons.distances();
    let identities = comparisons.identities().try_into().unwrap_or(u64::MAX);
    Calibration::fit(data, split, identities, &same, &different)
}

/// The realised errors as a model carries them, to six digits.
fn stated(unseen: &Unseen) -> Vec<UnseenRow> {
    let short = |rate: f64| (rate * 1e6).round() / 1e6;
    let row = |it: &Promise| UnseenRow {
        fmr_asked: it.fmr_asked,
        fmr: short(it.realised.fmr),
        fmr_95: it.fmr_interval.map(|it| [it.low, it.high].map(short)),
        fnmr: short(it.realised.fnmr),
    };
    unseen.promises.iter().map(row).collect()
}

/// The operating point to work at: the one with equal errors, or with at most the FMR asked for.
fn choose(
    calibration: &Calibration,
    fmr: Option<f64>,
    margin: Option<f64>,
) -> Result<OperatingPoint, CalibrateError> {
    let point = match fmr {
        Some(fmr) => calibration.for_fmr(fmr)?,
        None => calibration.eer_point(),
    };
    let threshold = point.threshold;
    if threshold.get() <= 0.0 {
        return Err(CalibrateError::ThresholdZero);
    }
    match margin.filter(|margin| *margin <= threshold.get()) {
        Some(margin) => Err(CalibrateError::ThresholdBeyondMargin { threshold, margin }),
        None => Ok(point),
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Distance;

    use super::*;

    fn calibration(same: &[f64], different: &[f64]) -> Calibration {
        let [same, different] = [same, different].map(|values| {
            let distances = values.iter().map(|it| Distance::try_from(*it));
            distances.collect::<Result<Vec<_>, _>>().expect("distances")
        });
        Calibration::fit("made", "made", 3, &same, &different).expect("pairs")
    }

    #[test]
    fn the_threshold_lies_between_0_and_the_margin() {
        let separated = calibration(&[0.25, 0.25], &[0.75]);
        let point = choose(&separated, None, Some(2.0)).expect("a point");
        assert!((point.threshold.get() - 0.5).abs() < 1e-12);
        assert!(choose(&separated, None, None).is_ok());

        let refusal = choose(&separated, None, Some(0.5)).expect_err("at the margin");
        assert!(matches!(refusal, CalibrateError::ThresholdBeyondMargin { .. }), "{refusal}");

        let dead = calibration(&[0.0], &[0.0]);
        let refusal = choose(&dead, None, Some(2.0)).expect_err("nothing is told apart");
        assert!(matches!(refusal, CalibrateError::ThresholdZero), "{refusal}");
    }

    #[test]
    fn an_fmr_chooses_the_largest_threshold_within_it() {
        let different: Vec<f64> = (1..=100).map(f64::from).collect();
        let point = choose(&calibration(&[0.5, 30.2], &different), Some(0.05), None);
        let threshold = point.expect("a point").threshold.get();
        assert!((5.0..6.0).contains(&threshold), "{threshold}");
        let refusal = choose(&calibration(&[0.5], &different), Some(0.01), None);
        assert!(matches!(refusal, Err(CalibrateError::UnsupportedFmr(_))));
    }
}
