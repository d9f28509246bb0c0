//! From a distance to a verdict: selects the threshold, its source, and the error rates at it.
//!
//! The server, the command line and the Python package all use this module.

mod changes;
mod pair;
mod warning;

use crate::model::Card;
use crate::score::{Calibration, Distance, Threshold, UnsupportedFmr, Verdict};
use serde::Serialize;
use thiserror::Error;

pub use changes::{ChangeJudge, ChangePoint, ChangeVerdict, JudgedScene};
pub use pair::{JudgedPair, Seen};
pub use warning::Warning;

/// How the caller wants pairs to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Criterion {
    /// The threshold in force: that of the settings, else the model's, else half its margin.
    #[default]
    InForce,
    /// This threshold.
    Threshold(Threshold),
    /// The model's operating point with the largest threshold whose FMR is at most this.
    Fmr(f64),
}

/// A threshold, with its source and error rates.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    threshold: Threshold,
    source: Source,
    card: &'a Card,
}

/// The source of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ThresholdSource))]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The request.
    Request,
    /// The settings.
    Settings,
    /// The calibration on the model's card.
    Calibration,
    /// The model's card, which states the threshold without a calibration.
    Card,
    /// Half the model's margin, where the pull and the push of the contrastive loss balance.
    Margin,
}

/// Why a criterion gives no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum NoThreshold {
    /// Neither the card nor the settings state a threshold, and the card states no margin.
    #[error("the model's card states neither a threshold nor a margin; set a threshold")]
    NoneStated,
    /// An FMR was requested, but the model has no calibration.
    #[error(
        "the model has no calibration, so no threshold can be found for an FMR; set a threshold"
    )]
    NotCalibrated,
    /// The model is not calibrated for changes.
    #[error("the model is not calibrated for changes; set a threshold")]
    NotForChanges,
    /// The calibration does not support the FMR.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedFmr),
}

/// The result for one pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The distance between the two embeddings.
    pub distance: Distance,
    /// The largest distance called same.
    pub threshold: Threshold,
    /// The model's margin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// The probability that the two are the same, by the model's calibration, at equal priors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The source of the threshold and its error rates.
    pub operating_point: Provenance,
}

/// The source of a threshold and, if the model is calibrated, its error rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provenance {
    source: Source,
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Measured))]
    measured: Option<Measured>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Measured {
    /// The share of different pairs called same at the threshold, in [0, 1].
    #[cfg_attr(feature = "openapi", schema(required = false))]
    fmr: f64,
    /// The share of same pairs called different at the threshold, in [0, 1].
    #[cfg_attr(feature = "openapi", schema(required = false))]
    fnmr: f64,
    #[cfg_attr(feature = "openapi", schema(required = false))]
    same_pairs: u64,
    #[cfg_attr(feature = "openapi", schema(required = false))]
    different_pairs: u64,
    #[cfg_attr(feature = "openapi", schema(required = false))]
    data: String,
}

impl Judgement {
    /// The verdict as text: a line with the numbers, and lines that explain them.
    pub fn text(&self) -> String {
        let (distance, threshold) = (self.distance.get(), self.threshold.get());
        let verdict = self.verdict.word();
        let mut lines =
            vec![format!("{verdict}: distance {distance:.4}, threshold {threshold:.4}")];
        if let Some(probability) = self.probability {
            let percent = 100.0 * probability;
            lines.push(format!(
                "If same and different pairs were equally frequent, {percent:.1} % of the pairs at this distance would be the same."
            ));
        }
        if let Some(measured) = &self.operating_point.measured {
            let Measured { same_pairs, different_pairs, data, .. } = measured;
            let [false_matches, false_non_matches] =
                [measured.fmr, measured.fnmr].map(|rate| 100.0 * rate);
            lines.push(format!(
                "At this threshold {false_matches:.2} % of {different_pairs} different pairs were called same, and {false_non_matches:.2} % of {same_pairs} same pairs were called different ({data})."
            ));
        }
        lines.join("\n")
    }
}

impl<'a> Judge<'a> {
    /// Finds the threshold for a criterion. `settings` is the operator's threshold.
    pub fn new(
        criterion: Criterion,
        settings: Option<Threshold>,
        card: &'a Card,
    ) -> Result<Self, NoThreshold> {
        let (threshold, source) = match criterion {
            Criterion::Threshold(threshold) => (threshold, Source::Request),
            Criterion::Fmr(fmr) => {
                let calibration = card.calibration.as_ref().ok_or(NoThreshold::NotCalibrated)?;
                (calibration.for_fmr(fmr)?.threshold, Source::Calibration)
            }
            Criterion::InForce => match (settings, card.threshold, card.margin) {
                (Some(threshold), _, _) => (threshold, Source::Settings),
                (None, Some(threshold), _) => (threshold, stated_by(card)),
                (None, None, Some(margin)) => (half(margin), Source::Margin),
                (None, None, None) => return Err(NoThreshold::NoneStated),
            },
        };
        Ok(Self { threshold, source, card })
    }

    /// Judges one pair.
    pub fn judge(&self, distance: Distance) -> Judgement {
        let calibration = self.card.calibration.as_ref();
        Judgement {
            verdict: self.threshold.judge(distance),
            distance,
            threshold: self.threshold,
            margin: self.card.margin,
            probability: calibration.and_then(|calibration| calibration.probability(distance)),
            operating_point: self.provenance(),
        }
    }

    /// The source of the threshold and its error rates.
    pub fn provenance(&self) -> Provenance {
        let measured =
            self.card.calibration.as_ref().map(|calibration| measured(calibration, self.threshold));
        Provenance { source: self.source, measured }
    }

    /// The selected threshold.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
}

/// The source of the threshold that a card states.
fn stated_by(card: &Card) -> Source {
    if card.calibration.is_some() { Source::Calibration } else { Source::Card }
}

fn half(margin: f64) -> Threshold {
    Threshold::try_from(margin / 2.0).expect("a card's margin is positive and finite")
}

fn measured(calibration: &Calibration, threshold: Threshold) -> Measured {
    let point = calibration.at(threshold);
    Measured {
        fmr: point.fmr,
        fnmr: point.fnmr,
        same_pairs: calibration.same_pairs(),
        different_pairs: calibration.different_pairs(),
        data: format!("{}, {}", calibration.data(), calibration.split()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(entries: &[(&str, &str)]) -> Card {
        let needed = [("input", "4"), ("colour", "grey")];
        let values = needed.iter().chain(entries);
        let values = values.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Card::parse(&values, "test").expect("a card")
    }

    fn threshold(value: f64) -> Threshold {
        Threshold::try_from(value).expect("a threshold")
    }

    #[track_caller]
    fn check(criterion: Criterion, settings: Option<f64>, card: &Card, expected: (f64, Source)) {
        let judge = Judge::new(criterion, settings.map(threshold), card).expect("a judge");
        assert_eq!((judge.threshold().get(), judge.source), expected);
    }

    #[test]
    fn the_most_specific_threshold_is_used() {
        let full = card(&[("threshold", "0.5"), ("margin", "2")]);
        check(Criterion::Threshold(threshold(0.1)), Some(0.3), &full, (0.1, Source::Request));
        check(Criterion::InForce, Some(0.3), &full, (0.3, Source::Settings));
        check(Criterion::InForce, None, &full, (0.5, Source::Card));
        check(Criterion::InForce, None, &card(&[("margin", "2")]), (1.0, Source::Margin));
    }

    #[test]
    fn only_a_calibrated_threshold_comes_from_a_calibration() {
        let calibration = r#"{"data":"faces","split":"unseen","identities":2,"same_pairs":2,"different_pairs":4,
            "eer":0.0,"table":[[0.5,0,0]]}"#;
        let stated = ("threshold", "0.5");
        let calibrated = card(&[stated, ("calibration", calibration)]);
        check(Criterion::InForce, None, &calibrated, (0.5, Source::Calibration));
        check(Criterion::InForce, None, &card(&[stated]), (0.5, Source::Card));
    }

    #[test]
    fn without_any_threshold_there_is_no_verdict() {
        let bare = card(&[]);
        let refused = |criterion| Judge::new(criterion, None, &bare).err();
        assert_eq!(refused(Criterion::InForce), Some(NoThreshold::NoneStated));
        assert_eq!(refused(Criterion::Fmr(0.01)), Some(NoThreshold::NotCalibrated));
    }
}
