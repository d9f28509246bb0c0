//! From the distances of cells to the verdict on two images.

use crate::changes::{Compared, Layout, Light, Placement, Region};
use crate::model::Card;
use crate::score::{ChangeCalibration, Threshold};
use serde::Serialize;

use super::{Criterion, Measured, NoThreshold, Source, Warning, measured};

/// A threshold for cells, with its source and error rates.
#[derive(Clone, Debug)]
pub struct ChangeJudge<'a> {
    threshold: Threshold,
    source: Source,
    calibration: Option<&'a ChangeCalibration>,
}

/// Whether an image has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerdict {
    /// At least one cell is farther apart than the threshold.
    Changed,
    /// No cell is.
    Unchanged,
}

/// The source of a threshold for cells and, if the model is calibrated for changes, its error rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangePoint {
    source: Source,
    /// The unit of the error rates beside it: a same pair is an unchanged cell, and a different pair is a changed cell.
    unit: Unit,
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Measured))]
    measured: Option<Measured>,
    /// The error rates for pairs of images. A same pair is an unchanged image: its FNMR is the share of unchanged images
    /// with a false alarm. Absent if the model is not calibrated for changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    images: Option<Measured>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ChangeUnit))]
#[serde(rename_all = "lowercase")]
enum Unit {
    Cell,
}

/// The decision on two images of a scene, and what differs between them.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgedScene {
    /// The decision.
    pub verdict: ChangeVerdict,
    /// The largest distance of an unchanged cell.
    pub threshold: Threshold,
    operating_point: ChangePoint,
    alignment: Placement,
    light: Light,
    map: SceneMap,
    /// The size of the second image after its orientation is applied, in pixels.
    image: SceneSize,
    /// Changed cells that touch each other, the most different first.
    pub regions: Vec<Region>,
    /// Reasons to trust the verdict less; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    warnings: Vec<Warning>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct SceneMap {
    #[serde(flatten)]
    layout: Layout,
    /// The cells that are compared: not those outside the first image, nor ignored ones.
    compared: usize,
    /// The distance of the most different cell.
    greatest: f64,
}

/// The size of an upright image, in pixels.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct SceneSize {
    width: u32,
    height: u32,
}

impl JudgedScene {
    /// Decides on two images. `regions` are those above the judge's threshold.
    pub fn of(judge: &ChangeJudge, compared: &Compared, regions: Vec<Region>) -> Self {
        let distances = &compared.distances;
        let (cells, greatest) = (distances.compared(), distances.greatest());
        let [_, [width, height]] = compared.sizes;
        Self {
            verdict: judge.verdict(greatest),
            threshold: judge.threshold(),
            operating_point: judge.point(),
            alignment: compared.alignment,
            light: compared.light.clone(),
            map: SceneMap { layout: compared.layout(), compared: cells, greatest },
            image: SceneSize { width, height },
            regions,
            warnings: Warning::about_scene(compared),
        }
    }
}

impl ChangeVerdict {
    /// `changed` or `unchanged`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

impl<'a> ChangeJudge<'a> {
    /// Finds the threshold for a criterion.
    pub fn new(criterion: Criterion, card: &'a Card) -> Result<Self, NoThreshold> {
        let calibration = card.changes.as_ref();
        let calibrated = || calibration.ok_or(NoThreshold::NotForChanges);
        let (threshold, source) = match criterion {
            Criterion::Threshold(threshold) => (threshold, Source::Request),
            Criterion::Fmr(fmr) => {
                (calibrated()?.cells.for_fmr(fmr)?.threshold, Source::Calibration)
            }
            Criterion::InForce => (calibrated()?.threshold, Source::Calibration),
        };
        Ok(Self { threshold, source, calibration })
    }

    /// The selected threshold.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The verdict on images whose most different cells have this distance.
    pub fn verdict(&self, greatest: f64) -> ChangeVerdict {
        if self.threshold.get() < greatest {
            ChangeVerdict::Changed
        } else {
            ChangeVerdict::Unchanged
        }
    }

    /// The source of the threshold and its error rates.
    pub fn point(&self) -> ChangePoint {
        let rates = |of: fn(&ChangeCalibration) -> &crate::score::Calibration| {
            self.calibration.map(|calibration| measured(of(calibration), self.threshold))
        };
        ChangePoint {
            source: self.source,
            unit: Unit::Cell,
            measured: rates(|calibration| &calibration.cells),
            images: rates(|calibration| &calibration.images),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(changes: Option<&str>) -> Card {
        let mut entries = vec![("input", "4"), ("colour", "grey")];
        entries.extend(changes.map(|changes| ("changes", changes)));
        let values = entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Card::parse(&values.collect(), "test").expect("a card")
    }

    #[test]
    fn a_threshold_is_that_of_the_request_or_of_the_calibration_for_changes() {
        let measured = r#"{"data":"boards","split":"unseen","identities":2,"same_pairs":4,"different_pairs":4,
            "eer":0.0,"table":[[0.25,0,1],[0.5,0,0],[0.75,1,0]]}"#;
        let changes = format!(r#"{{"threshold":0.5,"cells":{measured},"images":{measured}}}"#);
        let card_with = card(Some(&changes));
        let judge = |criterion| ChangeJudge::new(criterion, &card_with).expect("a judge");
        let threshold = |value: f64| Threshold::try_from(value).expect("a threshold");
        assert_eq!(judge(Criterion::InForce).threshold(), threshold(0.5));
        assert_eq!(judge(Criterion::Fmr(0.8)).threshold(), threshold(0.75));
        assert_eq!(judge(Criterion::InForce).verdict(0.5), ChangeVerdict::Unchanged);
        assert_eq!(judge(Criterion::InForce).verdict(0.51), ChangeVerdict::Changed);
        let point = serde_json::to_value(judge(Criterion::InForce).point()).expect("JSON");
        assert_eq!((&point["unit"], &point["images"]["fnmr"]), (&"cell".into(), &0.0.into()));

        let bare = card(None);
        let refused = ChangeJudge::new(Criterion::InForce, &bare).err();
        assert_eq!(refused, Some(NoThreshold::NotForChanges));
        let given = ChangeJudge::new(Criterion::Threshold(threshold(0.1)), &bare).expect("a judge");
        assert_eq!(given.point().images, None);
    }
}
