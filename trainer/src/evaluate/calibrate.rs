//! Calibration: from measured pairs to the threshold and calibration of a model's card.

use siamese_core::model::{Card, MeasuredReduction};
use siamese_core::score::{
    Calibration, CalibrationError, Familiarity, InvalidUnseen, NotDescribed, OperatingPoint,
    Threshold, Unseen as UnseenRow, UnsupportedFmr,
};
use thiserror::Error;

use super::{Embedded, InvertedLabels, TABLE_FMRS};
use crate::statistics::{Bootstrap, Comparisons, Grid, NotComparable, Promise, Unit, Unseen};

/// The options of a calibration.
#[derive(Clone, Copy, Debug)]
pub struct CalibrationRequest<'a> {
    /// The largest FMR of the threshold; `None` for the threshold with equal errors.
    pub fmr: Option<f64>,
    /// How the identities relate to the training data.
    pub split: &'a str,
    /// The resampling for the intervals.
    pub bootstrap: Bootstrap,
}

/// The result of a calibration.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The chosen operating point.
    pub point: OperatingPoint,
    /// All operating points, and the probability curve.
    pub calibration: Calibration,
    /// The errors on identities that a threshold was not chosen on; `None` if there are too few identities.
    pub unseen: Option<Unseen>,
    /// What the images look like to the model, or why they cannot be described.
    pub familiarity: Result<Familiarity, NotDescribed>,
    /// The unit of resampling.
    pub unit: Unit,
    /// How far JPEGs may be reduced; `None` if they may not, or if it was not measured.
    pub reduction: Option<MeasuredReduction>,
}

/// A model could not be calibrated.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// The images cannot be compared.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// The labels are probably inverted.
    #[error(transparent)]
    Inverted(#[from] InvertedLabels),
    /// The pairs allow no calibration.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The errors on unseen identities are invalid.
    #[error(transparent)]
    Unseen(#[from] InvalidUnseen),
    /// There is no operating point for the requested FMR.
    #[error(transparent)]
    UnsupportedFmr(#[from] UnsupportedFmr),
    /// The threshold would be 0.
    #[error(
        "the threshold would be 0, which calls only equal images same: the model is no better than chance on these \
         images, or the requested FMR is too small"
    )]
    ThresholdZero,
    /// The threshold would not be below the margin.
    #[error(
        "the threshold would be {}, which is not below the model's margin of {margin}: the model is poor on these \
         images, or the requested FMR is too large",
        .threshold.get()
    )]
    ThresholdBeyondMargin {
        /// The threshold from these pairs.
        threshold: Threshold,
        /// The margin in the card.
        margin: f64,
    },
}

/// Measures all pairs, and chooses the threshold.
pub fn calibrate(
    embedded: &Embedded,
    request: CalibrationRequest<'_>,
) -> Result<Calibrated, CalibrateError> {
    let comparisons = embedded.comparisons()?;
    let additional =
        request.fmr.filter(|fmr| 0.0 < *fmr && *fmr < 1.0 && !TABLE_FMRS.contains(fmr));
    let fmrs: Vec<f64> = TABLE_FMRS.into_iter().chain(additional).collect();
    let calibration = measure(&embedded.subject().data, request.split, &comparisons)?;
    InvertedLabels::check(&comparisons, calibration.eer(), || {
        Some(request.bootstrap.intervals(&comparisons, &Grid::new([]))?.eer)
    })?;
    let unseen = Unseen::of(&comparisons, &fmrs, request.bootstrap);
    let calibration = match &unseen {
        Some(unseen) => calibration.with_unseen(stated(unseen))?,
        None => calibration,
    };
    let [same, different] = comparisons.distances();
    let all = same.iter().chain(&different).map(|distance| distance.get());
    let nearest = all.filter(|distance| 0.0 < *distance).min_by(f64::total_cmp);
    let point = choose(&calibration, request.fmr, nearest, embedded.card().margin)?;
    let familiarity = embedded.familiarity();
    Ok(Calibrated {
        point,
        calibration,
        unseen,
        familiarity,
        unit: comparisons.unit(),
        reduction: None,
    })
}

impl Calibrated {
    /// Returns the card with this threshold, calibration, and description of the images.
    #[must_use]
    pub fn apply_to(&self, card: Card) -> Card {
        Card {
            threshold: Some(self.point.threshold),
            calibration: Some(self.calibration.clone()),
            familiarity: self.familiarity.clone().ok(),
            reduction: self.reduction,
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

/// Returns the realised errors as the card stores them, rounded to six digits.
fn stated(unseen: &Unseen) -> Vec<UnseenRow> {
    let short = |rate: f64| (rate * 1e6).round() / 1e6;
    let row = |promise: &Promise| UnseenRow {
        fmr_asked: promise.fmr_asked,
        fmr: short(promise.realised.fmr),
        fmr_95: promise.fmr_interval.map(|interval| [interval.low, interval.high].map(short)),
        fnmr: short(promise.realised.fnmr),
    };
    unseen.promises.iter().map(row).collect()
}

/// Chooses the operating point: the one with equal errors, or with at most the requested FMR. `nearest` is the smallest
/// distance above 0.
fn choose(
    calibration: &Calibration,
    fmr: Option<f64>,
    nearest: Option<f64>,
    margin: Option<f64>,
) -> Result<OperatingPoint, CalibrateError> {
    let mut point = match fmr {
        Some(fmr) => calibration.for_fmr(fmr)?,
        None => calibration.eer_point(),
    };
    if point.threshold.get() <= 0.0 {
        // Same pairs may be equal images, such as unchanged screenshots. No distance lies between them and the nearest.
        let between = nearest.and_then(|distance| Threshold::try_from(distance / 2.0).ok());
        match between.filter(|_| point.fnmr < 0.5 && point.fmr < 0.5) {
            Some(between) => point.threshold = between,
            None => return Err(CalibrateError::ThresholdZero),
        }
    }
    let threshold = point.threshold;
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
            let distances = values.iter().map(|value| Distance::try_from(*value));
            distances.collect::<Result<Vec<_>, _>>().expect("distances")
        });
        Calibration::fit("made", "made", 3, &same, &different).expect("pairs")
    }

    #[test]
    fn the_threshold_lies_between_0_and_the_margin() {
        let separated = calibration(&[0.25, 0.25], &[0.75]);
        let point = choose(&separated, None, Some(0.25), Some(2.0)).expect("a point");
        assert!((point.threshold.get() - 0.5).abs() < 1e-12);
        assert!(choose(&separated, None, Some(0.25), None).is_ok());

        let refusal = choose(&separated, None, Some(0.25), Some(0.5)).expect_err("at the margin");
        assert!(matches!(refusal, CalibrateError::ThresholdBeyondMargin { .. }), "{refusal}");

        let dead = calibration(&[0.0], &[0.0]);
        let refusal = choose(&dead, None, None, Some(2.0)).expect_err("nothing is told apart");
        assert!(matches!(refusal, CalibrateError::ThresholdZero), "{refusal}");
    }

    #[test]
    fn equal_images_of_same_pairs_leave_a_threshold_above_0() {
        let point = choose(&calibration(&[0.0, 0.0], &[0.5, 0.7]), None, Some(0.5), None);
        let point = point.expect("a point");
        assert_eq!((point.threshold.get(), point.fmr, point.fnmr), (0.25, 0.0, 0.0));
    }

    #[test]
    fn an_fmr_chooses_the_largest_threshold_within_it() {
        let different: Vec<f64> = (1..=100).map(f64::from).collect();
        let point = choose(&calibration(&[0.5, 30.2], &different), Some(0.05), Some(0.5), None);
        let threshold = point.expect("a point").threshold.get();
        assert!((5.0..6.0).contains(&threshold), "{threshold}");
        let refusal = choose(&calibration(&[0.5], &different), Some(0.01), Some(0.5), None);
        assert!(matches!(refusal, Err(CalibrateError::UnsupportedFmr(_))));
    }
}
