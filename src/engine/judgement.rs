//! From a distance to an answer: which threshold rules, where it comes from, and what is known at it.
//!
//! The one place where the service and the command line judge.

use serde::Serialize;
use siamese_core::model::Card;
use siamese_core::score::{Calibration, Distance, Threshold, UnsupportedFmr, Verdict};
use thiserror::Error;
use utoipa::ToSchema;

/// How a caller wants pairs to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Criterion {
    /// By the threshold in force: the settings', else the tower's, else half its margin.
    #[default]
    InForce,
    /// By this threshold.
    Threshold(Threshold),
    /// By the tower's operating point with the largest threshold whose FMR is at most this.
    Fmr(f64),
}

/// A threshold, ready to judge, with all that is known about it.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    threshold: Threshold,
    source: Source,
    card: &'a Card,
}

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ThresholdSource)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The caller.
    Request,
    /// The operator.
    Settings,
    /// The tower.
    Calibration,
    /// Half the tower's margin, where contrastive loss's pull and push balance.
    Margin,
}

/// Why a criterion gives no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum NoThreshold {
    /// Neither tower nor operator states one, nor a margin to take the half of.
    #[error("the tower states neither threshold nor margin; name a threshold")]
    NoneStated,
    /// An FMR was asked of a tower without a calibration.
    #[error(
        "the tower carries no calibration, so no threshold is known for an FMR; name a threshold"
    )]
    NotCalibrated,
    /// Its calibration can't tell.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedFmr),
}

/// What is said of one pair.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Judgement {
    /// The ruling.
    pub verdict: Verdict,
    /// How far apart the two are.
    pub distance: Distance,
    /// The largest distance called same.
    pub threshold: Threshold,
    /// The tower's margin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// That the two are the same, by the tower's calibration, at equal priors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Where the threshold comes from and what it costs.
    pub operating_point: Provenance,
}

/// Where a threshold comes from and, where the tower is calibrated, what it costs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Provenance {
    source: Source,
    #[serde(flatten)]
    #[schema(value_type = Measured)]
    measured: Option<Measured>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct Measured {
    /// The share of different pairs called same at the threshold, in [0, 1].
    #[schema(required = false)]
    fmr: f64,
    /// The share of same pairs called different at the threshold, in [0, 1].
    #[schema(required = false)]
    fnmr: f64,
    #[schema(required = false)]
    same_pairs: u64,
    #[schema(required = false)]
    different_pairs: u64,
    #[schema(required = false)]
    data: String,
}

impl Judgement {
    /// The verdict for people to read: a line of figures, and lines of what is known about them.
    pub fn words(&self) -> String {
        let (distance, threshold) = (self.distance.get(), self.threshold.get());
        let verdict = self.verdict.word();
        let mut words =
            vec![format!("{verdict}: distance {distance:.4}, threshold {threshold:.4}")];
        if let Some(probability) = self.probability {
            let percent = 100.0 * probability;
            words.push(format!(
                "If as many pairs were the same as were not, those at this distance would be the same in {percent:.1} % of all cases."
            ));
        }
        if let Some(measured) = &self.operating_point.measured {
            let Measured { same_pairs, different_pairs, data, .. } = measured;
            let [false_matches, misses] = [measured.fmr, measured.fnmr].map(|it| 100.0 * it);
            words.push(format!(
                "At this threshold {false_matches:.2} % of {different_pairs} different pairs were called the same, and {misses:.2} % of {same_pairs} same pairs different ({data})."
            ));
        }
        words.join("\n")
    }
}

impl<'a> Judge<'a> {
    /// Finds the threshold of a criterion; `settings` is the operator's.
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
                (None, Some(threshold), _) => (threshold, Source::Calibration),
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
            probability: calibration.and_then(|it| it.probability(distance)),
            operating_point: self.provenance(),
        }
    }

    /// Where the threshold comes from and what it costs.
    pub fn provenance(&self) -> Provenance {
        let measured = self.card.calibration.as_ref().map(|it| measured(it, self.threshold));
        Provenance { source: self.source, measured }
    }

    /// The threshold that rules.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
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
    fn the_nearest_word_rules() {
        let full = card(&[("threshold", "0.5"), ("margin", "2")]);
        check(Criterion::Threshold(threshold(0.1)), Some(0.3), &full, (0.1, Source::Request));
        check(Criterion::InForce, Some(0.3), &full, (0.3, Source::Settings));
        check(Criterion::InForce, None, &full, (0.5, Source::Calibration));
        check(Criterion::InForce, None, &card(&[("margin", "2")]), (1.0, Source::Margin));
    }

    #[test]
    fn without_any_word_there_is_no_verdict() {
        let bare = card(&[]);
        let refused = |criterion| Judge::new(criterion, None, &bare).err();
        assert_eq!(refused(Criterion::InForce), Some(NoThreshold::NoneStated));
        assert_eq!(refused(Criterion::Fmr(0.01)), Some(NoThreshold::NotCalibrated));
    }
}
