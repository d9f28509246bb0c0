//! Calibration for change detection: from measured cells to the threshold and the error rates of a model's card.

use siamese_core::model::Card;
use siamese_core::score::{
    Calibration, CalibrationError, ChangeCalibration, Distance, Rates, Threshold,
};
use thiserror::Error;

use super::measured::distance;
use super::{MeasuredChanges, OneKindOfCells, UnchangedImages};
use crate::statistics::{Bootstrap, Grid, Interval, Measures, RatesInterval, real};

/// The default of [`ChangeCalibrationRequest::fnmr_images`]: one false alarm in 50 unchanged images.
pub const DEFAULT_FNMR_IMAGES: f64 = 0.02;

/// The options of a calibration for change detection.
#[derive(Clone, Copy, Debug)]
pub struct ChangeCalibrationRequest<'a> {
    /// The largest share of unchanged images with a changed cell.
    pub fnmr_images: f64,
    /// How the pairs relate to the training data.
    pub split: &'a str,
    /// The resampling for the intervals.
    pub bootstrap: Bootstrap,
}

/// The result of a calibration for change detection.
#[derive(Clone, Debug)]
pub struct CalibratedChanges {
    /// The threshold and the error rates.
    pub changes: ChangeCalibration,
    /// Which images count as unchanged.
    pub unchanged: UnchangedImages,
    /// The names of the unchanged images whose greatest distance is the threshold; `None` if it is that of no image.
    pub decisive: Option<String>,
    /// The errors of cells at the threshold: FMR of changed cells, FNMR of unchanged cells.
    pub cells: Rates,
    /// Their intervals; `None` without resamples, or with one component.
    pub cells_interval: Option<RatesInterval>,
    /// The number of unchanged images with a changed cell at the threshold.
    pub alarmed: usize,
    /// The interval of their share, as if images were independent.
    pub alarmed_interval: Interval,
}

/// A model could not be calibrated for change detection.
#[derive(Debug, Error)]
pub enum CalibrateChangesError {
    /// All cells are of one kind.
    #[error(transparent)]
    OneKind(#[from] OneKindOfCells),
    /// The pairs allow no calibration.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The share is not a rate.
    #[error(
        "the share of unchanged images with a false alarm must be at least 0 and below 1, not {0}"
    )]
    OutOfRange(f64),
    /// No distance is above 0.
    #[error("all distances are 0: the model tells nothing apart")]
    NothingApart,
}

impl CalibratedChanges {
    /// Measures cells and images, and chooses the threshold: the smallest one at which at most the requested share of the
    /// unchanged images has a changed cell.
    pub fn of(
        measured: &MeasuredChanges,
        request: ChangeCalibrationRequest<'_>,
    ) -> Result<Self, CalibrateChangesError> {
        let cells = measured.cells()?;
        let (unchanged, of_unchanged) = measured.unchanged_images();
        let same: Vec<Distance> = of_unchanged.iter().map(|(_, value)| distance(*value)).collect();
        let different: Vec<Distance> =
            measured.changed_images().into_iter().map(distance).collect();
        let of_cells = cells.distances();
        let threshold = choose(&same, &of_cells, request.fnmr_images)?;
        let components = u64::try_from(cells.identities()).unwrap_or(u64::MAX);
        let fit = |same: &[Distance], different: &[Distance]| {
            Calibration::fit(&measured.data, request.split, components, same, different)
        };
        let grid = Grid::new([]).with_thresholds([threshold]);
        let decisive =
            of_unchanged.iter().find(|(_, value)| threshold.get().to_bits() == value.to_bits());
        let alarmed = same.iter().filter(|distance| threshold.get() < distance.get()).count();
        let band = request.bootstrap.intervals(&cells, &grid);
        Ok(Self {
            changes: ChangeCalibration {
                threshold,
                cells: fit(&of_cells[0], &of_cells[1])?,
                images: fit(&same, &different)?,
            },
            unchanged,
            decisive: decisive.map(|(pair, _)| measured.pairs[*pair].pair.names().join(" and ")),
            cells: Measures::of(&cells, &grid).rates_at[0],
            cells_interval: band.map(|band| band.rates_at[0]),
            alarmed,
            alarmed_interval: Interval::of_share(alarmed, same.len()),
        })
    }

    /// Returns the card with this calibration.
    #[must_use]
    pub fn apply_to(&self, card: Card) -> Card {
        Card { changes: Some(self.changes.clone()), ..card }
    }
}

/// Chooses the smallest threshold at which at most this share of the unchanged images has a changed cell. If these images
/// have only distances of 0, it is half of the smallest distance of a cell above 0.
fn choose(
    unchanged: &[Distance],
    cells: &[Vec<Distance>; 2],
    share: f64,
) -> Result<Threshold, CalibrateChangesError> {
    if !(0.0..1.0).contains(&share) {
        return Err(CalibrateChangesError::OutOfRange(share));
    }
    let mut greatest: Vec<f64> = unchanged.iter().map(|distance| distance.get()).collect();
    greatest.sort_by(f64::total_cmp);
    let last = greatest.len().checked_sub(1).ok_or(OneKindOfCells::Changed)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the number of images"
    )]
    let tolerated = (share * real(greatest.len()) + 1e-9) as usize;
    let smallest = greatest[last - tolerated.min(last)];
    let threshold = if 0.0 < smallest {
        smallest
    } else {
        let distances = cells.iter().flatten().map(|distance| distance.get());
        let nearest = distances.filter(|distance| 0.0 < *distance).min_by(f64::total_cmp);
        nearest.ok_or(CalibrateChangesError::NothingApart)? / 2.0
    };
    Ok(Threshold::try_from(threshold).expect("a distance is a valid threshold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(values: impl IntoIterator<Item = f64>) -> Vec<Distance> {
        values.into_iter().map(distance).collect()
    }

    #[track_caller]
    fn check(unchanged: impl IntoIterator<Item = f64>, share: f64, expected: f64) {
        let cells = [distances([0.0, 0.4]), distances([0.3])];
        let threshold = choose(&distances(unchanged), &cells, share).expect("a threshold");
        assert!((threshold.get() - expected).abs() < 1e-12, "{threshold:?}");
    }

    #[test]
    fn the_threshold_lets_at_most_a_share_of_unchanged_images_be_false() {
        check((1..=100).map(f64::from), 0.02, 98.0);
        check((1..=100).map(f64::from), 0.019, 99.0);
        // Fewer than 50 images allow no false alarm at all.
        check([5.0, 1.0, 3.0], 0.02, 5.0);
        check([5.0, 1.0, 3.0], 0.9, 1.0);
    }

    #[test]
    fn equal_images_leave_a_threshold_above_0() {
        check([0.0, 0.0], 0.02, 0.15);
        let zero = [distances([0.0]), distances([0.0])];
        let refusal = choose(&distances([0.0]), &zero, 0.02).expect_err("nothing is told apart");
        assert!(matches!(refusal, CalibrateChangesError::NothingApart), "{refusal}");
        let refusal = choose(&distances([1.0]), &zero, 1.0).expect_err("no rate");
        assert!(matches!(refusal, CalibrateChangesError::OutOfRange(_)), "{refusal}");
    }
}
