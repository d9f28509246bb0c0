//! The evaluation of a model on a list of changes.

use siamese_core::score::{ChangeCalibration, Rates, Threshold};

use super::{Detection, MeasuredChanges, OneKindOfCells};
use crate::evaluate::ThresholdSource;
use crate::statistics::{Band, Bootstrap, Comparisons, Grid, Interval, Measures, RatesInterval};

/// The other thresholds of the table, as multiples of the one in use.
const FACTORS: [f64; 6] = [0.5, 0.7, 0.85, 1.2, 1.4, 2.0];

/// The most pairs that a report shows of each kind.
const WORST: usize = 6;

/// The evaluation of a model on a list of changes.
#[derive(Clone, Debug)]
pub struct ChangeEvaluation {
    /// The pairs.
    pub changes: MeasuredChanges,
    /// The cells. Unchanged ones are same pairs, and changed ones different pairs.
    pub cells: Comparisons,
    /// EER and AUC of the cells, and their errors at the thresholds of `points`.
    pub measures: Measures,
    /// The intervals of `measures`; `None` without resamples, or with one component.
    pub band: Option<Band>,
    /// The threshold in use.
    pub threshold: Threshold,
    /// Where it comes from.
    pub threshold_source: ThresholdSource,
    /// The share of boxes that are found at this threshold; `None` without a box.
    pub recall: Option<WithInterval>,
    /// The share of regions that are not false; `None` without a region.
    pub precision: Option<WithInterval>,
    /// The number of regions in an unchanged pair; `None` without such a pair.
    pub false_per_unchanged: Option<WithInterval>,
    /// The threshold in use among others, ascending.
    pub points: Vec<AtThreshold>,
    /// The resampling of the intervals.
    pub bootstrap: Bootstrap,
    /// The origin of the results: names and values.
    pub origin: Vec<(&'static str, String)>,
}

/// A figure and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithInterval {
    /// The figure.
    pub value: f64,
    /// Its interval; `None` without resamples, or with one component.
    pub interval: Option<Interval>,
}

/// What a threshold does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtThreshold {
    /// The threshold.
    pub threshold: Threshold,
    /// The errors of cells: FMR is the share of changed cells that are missed, FNMR that of unchanged cells that are false
    /// alarms.
    pub cells: Rates,
    /// What is found by box and region.
    pub detection: Detection,
}

impl ChangeEvaluation {
    /// Measures the pairs. The threshold is that of the card, or the one where both errors of cells are equal.
    #[expect(clippy::missing_panics_doc, reason = "a threshold lies between two distances")]
    pub fn of(changes: MeasuredChanges, bootstrap: Bootstrap) -> Result<Self, OneKindOfCells> {
        let cells = changes.cells()?;
        let calibration = changes.model.card.changes.as_ref();
        let in_force = calibration.map(|ChangeCalibration { threshold, .. }| *threshold);
        let (threshold, threshold_source) = if let Some(threshold) = in_force {
            (threshold, ThresholdSource::Model)
        } else {
            let balanced = Measures::of(&cells, &Grid::new([])).eer_threshold;
            let balanced = Threshold::try_from(balanced).expect("it lies between two distances");
            (balanced, ThresholdSource::SamePairs)
        };
        let others =
            FACTORS.iter().filter_map(|factor| Threshold::try_from(factor * threshold.get()).ok());
        let grid = Grid::new([]).with_thresholds(others.chain([threshold]));
        let measures = Measures::of(&cells, &grid);
        let points = grid.thresholds().iter().zip(&measures.rates_at).map(|(threshold, rates)| {
            let detection = sum(&changes.detections(*threshold), |_| 1);
            AtThreshold { threshold: *threshold, cells: *rates, detection }
        });
        let points: Vec<_> = points.collect();
        let band = bootstrap.intervals(&cells, &grid);
        let of_components = changes.detections(threshold);
        let figure = |of: fn(&Detection) -> Option<f64>| {
            let value = of(&sum(&of_components, |_| 1))?;
            let resampled =
                |copies: &[u64]| of(&sum(&of_components, |component| copies[component]));
            let interval = bootstrap.interval(of_components.len(), resampled);
            Some(WithInterval { value, interval })
        };
        Ok(Self {
            threshold,
            threshold_source,
            recall: figure(Detection::recall),
            precision: figure(Detection::precision),
            false_per_unchanged: figure(Detection::false_per_unchanged),
            points,
            measures,
            band,
            cells,
            changes,
            bootstrap,
            origin: Vec::new(),
        })
    }

    /// Returns what the threshold in use does.
    pub fn in_force(&self) -> &AtThreshold {
        &self.points[self.in_force_index()]
    }

    /// Returns the intervals of the errors of cells at the threshold in use.
    pub fn cells_interval(&self) -> Option<RatesInterval> {
        Some(self.band.as_ref()?.rates_at[self.in_force_index()])
    }

    fn in_force_index(&self) -> usize {
        let index = self.points.iter().position(|point| point.threshold == self.threshold);
        index.expect("the points contain the threshold in use")
    }

    /// Returns the indices of the pairs with the most boxes that are missed, and of those with the most false regions, the
    /// worst first. The first are empty if all boxes are found, the second if no region is false.
    pub fn worst(&self) -> [Vec<usize>; 2] {
        let detections = self.changes.pairs.iter().map(|pair| pair.detection(self.threshold));
        let detections: Vec<Detection> = detections.collect();
        let worst = |error: fn(&Detection) -> u64| {
            let of = |index: &usize| error(&detections[*index]);
            let mut indices: Vec<usize> =
                (0..detections.len()).filter(|index| 0 < of(index)).collect();
            indices.sort_by_key(|index| std::cmp::Reverse(of(index)));
            indices.truncate(WORST);
            indices
        };
        [worst(|it| it.boxes - it.found), worst(|it| it.false_regions)]
    }

    /// Returns the numbers of unchanged and of changed cells.
    pub fn cell_counts(&self) -> [usize; 2] {
        self.cells.distances().map(|distances| distances.len())
    }

    /// Describes the model and the pairs in one line.
    pub fn headline(&self) -> String {
        let MeasuredChanges { model, data, pairs, measuring, .. } = &self.changes;
        let unchanged = pairs.iter().filter(|pair| pair.is_unchanged()).count();
        let [same, different] = self.cell_counts();
        let shifted = measuring
            .shift
            .map(|shift| format!(" (shifted by {} pixels)", shift.pixels))
            .unwrap_or_default();
        format!(
            "{} on {data}{shifted}: {} pairs of {} components, {unchanged} of them unchanged; {same} unchanged and \
             {different} changed cells",
            model.card.name,
            pairs.len(),
            self.cells.identities(),
        )
    }
}

/// What is found in all components, if each occurs some times.
fn sum(of_components: &[Detection], copies: impl Fn(usize) -> u64) -> Detection {
    let mut sum = Detection::default();
    for (component, detection) in of_components.iter().enumerate() {
        sum += *detection * copies(component);
    }
    sum
}
