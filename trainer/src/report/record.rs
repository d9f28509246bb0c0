//! The report as JSON.

use serde::Serialize;
use serde_json::Value;

use super::charts::worst;
use crate::evaluate::{
    Aim, Evaluation, Familiar, Map, OfIdentity, Operating, ProbabilityCheck, TABLE_FMRS,
    ThresholdSource, TrainingOverlap,
};
use crate::learn::history::Entry;
use crate::statistics::{Comparison, Interval, OneShotRate, Retrieval, Unit, Unseen};

/// `report.json`.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    model: Named,
    data: String,
    training: TrainingOverlap,
    /// The unit of resampling; `identities` is the number of units.
    unit: Unit,
    identities: usize,
    images: u32,
    same_pairs: usize,
    different_pairs: usize,
    eer: Figure,
    auc: Figure,
    fnmr_at_fmr: Vec<AtFmr>,
    threshold: AtThreshold,
    operating_points: Vec<Point>,
    unseen: Option<Unseen>,
    /// How much the images are like those of the calibration; absent if the model's card does not describe these.
    #[serde(skip_serializing_if = "Option::is_none")]
    familiarity: Option<Familiar>,
    probability: ProbabilityCheck,
    effective_different_pairs: Option<f64>,
    margin: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retrieval: Option<Retrieval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_shot: Option<OneShotRate>,
    bootstrap: Resampling,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_identity: Vec<OfIdentity>,
    closest_different_pairs: Vec<Pair>,
    farthest_same_pairs: Vec<Pair>,
    curve: Vec<AtFmr>,
    skipped: Vec<String>,
    /// The provenance in the model's card, as it is published.
    provenance: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<MapRecord>,
}

/// The map; the unit of its coordinates is the model's distance.
#[derive(Debug, Serialize)]
struct MapRecord {
    /// The error of the distances on the map, as a share of all distances.
    stress: f64,
    images: Vec<MappedImage>,
}

#[derive(Debug, Serialize)]
struct MappedImage {
    image: String,
    place: [f64; 2],
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    digest: String,
}

#[derive(Debug, Serialize)]
struct Figure {
    value: f64,
    #[serde(flatten)]
    interval: Option<Interval>,
}

#[derive(Debug, Serialize)]
struct AtFmr {
    fmr: f64,
    /// Whether there are enough different pairs to measure this FMR.
    supported: bool,
    fnmr: f64,
    #[serde(flatten)]
    interval: Option<Interval>,
}

#[derive(Debug, Serialize)]
struct AtThreshold {
    value: f64,
    source: ThresholdSource,
    fmr: f64,
    fnmr: f64,
}

#[derive(Debug, Serialize)]
struct Point {
    aim: Aim,
    threshold: Figure,
    fmr: Figure,
    fnmr: Figure,
}

#[derive(Debug, Serialize)]
struct Resampling {
    of: &'static str,
    resamples: u32,
    seed: u64,
    confidence: f64,
}

#[derive(Debug, Serialize)]
struct Pair {
    a: String,
    b: String,
    distance: f64,
}

impl Pair {
    fn named(evaluation: &Evaluation, pair: &Comparison) -> Self {
        let [a, b] =
            [0, 1].map(|side| evaluation.image_name(pair.identities[side], pair.images[side]));
        Self { a: a.to_owned(), b: b.to_owned(), distance: pair.distance.get() }
    }
}

impl Record {
    pub(super) fn of(evaluation: &Evaluation) -> Self {
        let Evaluation { subject, measures, band, bootstrap, .. } = evaluation;
        let at_fmr = |index: usize| {
            let fmr = evaluation.grid.rates()[index];
            AtFmr {
                fmr,
                supported: evaluation.smallest_fmr() <= fmr,
                fnmr: measures.fnmr_at[index],
                interval: band.as_ref().map(|band| band.fnmr_at[index]),
            }
        };
        let named = |pair: &Comparison| Pair::named(evaluation, pair);
        let [different, same] = worst(evaluation).map(|pairs| pairs.iter().map(named).collect());
        Self {
            model: Named { name: subject.model.clone(), digest: subject.digest.clone() },
            data: subject.data.clone(),
            training: subject.training.clone(),
            unit: evaluation.comparisons.unit(),
            identities: evaluation.comparisons.identities(),
            images: evaluation.images(),
            same_pairs: evaluation.same_pairs(),
            different_pairs: evaluation.different_pairs(),
            eer: Figure { value: measures.eer, interval: band.as_ref().map(|band| band.eer) },
            auc: Figure { value: measures.auc, interval: band.as_ref().map(|band| band.auc) },
            fnmr_at_fmr: TABLE_FMRS.map(|fmr| at_fmr(evaluation.grid_index(fmr))).into(),
            threshold: AtThreshold {
                value: evaluation.threshold.get(),
                source: evaluation.threshold_source,
                fmr: evaluation.rates.fmr,
                fnmr: evaluation.rates.fnmr,
            },
            operating_points: evaluation.operating.iter().map(Point::of).collect(),
            unseen: evaluation.unseen.clone(),
            familiarity: evaluation.familiar,
            probability: evaluation.probability.clone(),
            effective_different_pairs: evaluation.effective_different_pairs(),
            margin: evaluation.margin,
            retrieval: evaluation.retrieval,
            one_shot: evaluation.one_shot.clone(),
            bootstrap: Resampling {
                of: evaluation.comparisons.unit().plural(),
                resamples: bootstrap.resamples,
                seed: bootstrap.seed,
                confidence: 0.95,
            },
            by_identity: evaluation.by_identity(),
            closest_different_pairs: different,
            farthest_same_pairs: same,
            curve: (0..evaluation.grid.rates().len()).map(at_fmr).collect(),
            skipped: subject.skipped.clone(),
            provenance: subject.provenance.clone(),
            history: evaluation.history.clone(),
            map: evaluation.map.as_ref().map(|map| MapRecord::of(evaluation, map)),
        }
    }
}

impl MapRecord {
    fn of(evaluation: &Evaluation, map: &Map) -> Self {
        let image = |([identity, image], place): (&[u32; 2], &[f64; 2])| MappedImage {
            image: evaluation.image_name(*identity, *image).to_owned(),
            place: *place,
        };
        Self {
            stress: map.plane.stress,
            images: map.images.iter().zip(&map.plane.places).map(image).collect(),
        }
    }
}

impl Point {
    fn of(operating: &Operating) -> Self {
        let rates = operating.rates_interval;
        Self {
            aim: operating.aim,
            threshold: Figure {
                value: operating.threshold.get(),
                interval: operating.threshold_interval,
            },
            fmr: Figure {
                value: operating.rates.fmr,
                interval: rates.map(|interval| interval.fmr),
            },
            fnmr: Figure {
                value: operating.rates.fnmr,
                interval: rates.map(|interval| interval.fnmr),
            },
        }
    }
}
