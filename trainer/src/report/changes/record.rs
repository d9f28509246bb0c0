//! The report of a list of changes as JSON.

use serde::Serialize;

use crate::evaluate::changes::{AtThreshold, ChangeEvaluation, MeasuredPair, WithInterval};
use crate::evaluate::{ThresholdSource, TrainingOverlap};
use crate::statistics::Interval;

/// `report.json`.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    model: Named,
    data: String,
    /// `sha256:` and the hex digest over all files.
    data_digest: String,
    training: TrainingOverlap,
    /// How far the first images were shifted, in pixels.
    shift: u32,
    pairs: usize,
    components: usize,
    unchanged_cells: usize,
    changed_cells: usize,
    auc: Figure,
    eer: Figure,
    threshold: f64,
    threshold_source: ThresholdSource,
    missed_cells: Figure,
    false_alarms: Figure,
    recall: Option<Figure>,
    precision: Option<Figure>,
    false_regions_per_unchanged_pair: Option<Figure>,
    points: Vec<Point>,
    bootstrap: Resampling,
    most_missed: Vec<Pair>,
    most_false: Vec<Pair>,
    skipped: Vec<String>,
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

/// What a threshold does.
#[derive(Debug, Serialize)]
struct Point {
    threshold: f64,
    missed_cells: f64,
    false_alarms: f64,
    changes: u64,
    found: u64,
    regions: u64,
    false_regions: u64,
    unchanged_pairs: u64,
    regions_in_unchanged_pairs: u64,
    unchanged_pairs_with_regions: u64,
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
    before: String,
    after: String,
    changes: u64,
    found: u64,
    regions: u64,
    false_regions: u64,
}

impl Record {
    pub(super) fn of(evaluation: &ChangeEvaluation) -> Self {
        let ChangeEvaluation { changes, measures, band, bootstrap, .. } = evaluation;
        let [unchanged_cells, changed_cells] = evaluation.cell_counts();
        let in_force = evaluation.in_force().cells;
        let of_cells = evaluation.cells_interval();
        let figure = |value, interval| Figure { value, interval };
        let with_interval =
            |found: Option<WithInterval>| found.map(|found| figure(found.value, found.interval));
        let pair = |index: &usize| Pair::of(&changes.pairs[*index], evaluation);
        let [most_missed, most_false] =
            evaluation.worst().map(|worst| worst.iter().map(pair).collect());
        Self {
            model: Named {
                name: changes.model.card.name.clone(),
                digest: changes.model.digest.clone(),
            },
            data: changes.data.clone(),
            data_digest: changes.digest.clone(),
            training: changes.training(),
            shift: changes.measuring.shift.map_or(0, |shift| shift.pixels),
            pairs: changes.pairs.len(),
            components: evaluation.cells.identities(),
            unchanged_cells,
            changed_cells,
            auc: figure(measures.auc, band.as_ref().map(|band| band.auc)),
            eer: figure(measures.eer, band.as_ref().map(|band| band.eer)),
            threshold: evaluation.threshold.get(),
            threshold_source: evaluation.threshold_source,
            missed_cells: figure(in_force.fmr, of_cells.map(|rates| rates.fmr)),
            false_alarms: figure(in_force.fnmr, of_cells.map(|rates| rates.fnmr)),
            recall: with_interval(evaluation.recall),
            precision: with_interval(evaluation.precision),
            false_regions_per_unchanged_pair: with_interval(evaluation.false_per_unchanged),
            points: evaluation.points.iter().map(Point::of).collect(),
            bootstrap: Resampling {
                of: "components",
                resamples: bootstrap.resamples,
                seed: bootstrap.seed,
                confidence: 0.95,
            },
            most_missed,
            most_false,
            skipped: changes.skipped.clone(),
        }
    }
}

impl Point {
    fn of(AtThreshold { threshold, cells, detection }: &AtThreshold) -> Self {
        Self {
            threshold: threshold.get(),
            missed_cells: cells.fmr,
            false_alarms: cells.fnmr,
            changes: detection.boxes,
            found: detection.found,
            regions: detection.regions,
            false_regions: detection.false_regions,
            unchanged_pairs: detection.unchanged_pairs,
            regions_in_unchanged_pairs: detection.regions_in_unchanged,
            unchanged_pairs_with_regions: detection.alarmed_pairs,
        }
    }
}

impl Pair {
    fn of(pair: &MeasuredPair, evaluation: &ChangeEvaluation) -> Self {
        let [before, after] = pair.pair.names().map(str::to_owned);
        let detection = pair.detection(evaluation.threshold);
        Self {
            before,
            after,
            changes: detection.boxes,
            found: detection.found,
            regions: detection.regions,
            false_regions: detection.false_regions,
        }
    }
}
