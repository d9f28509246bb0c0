//! Errors by threshold, thinned to what a curve needs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::score::scores::{Step, by_balance, count, rounded, share};
use crate::score::{OperatingPoint, Rates, Scores, Threshold};

/// More rows than [`Table::measure`] writes and a foreign file needs.
const MAX_ROWS: usize = 4096;

/// Even steps of each error rate from 0 to 1.
const EVEN_STEPS: u32 = 56;

/// Steps of each error rate by a constant factor, from one pair to all of them.
///
/// Together with the even ones and the round ones that makes 236 rows at most.
const TAIL_STEPS: u32 = 48;

/// One threshold, and how many pairs are ruled wrongly at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row(Threshold, u64, u64);

/// Rows in ascending thresholds.
///
/// Invariant, once [checked](Table::check): as [`Calibration`](super::Calibration) says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Table(Vec<Row>);

/// Why rows are no table of errors by threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTable {
    /// There is no row, or an absurd number of them.
    #[error("the calibration's table has {0} rows, where it takes 1 to {MAX_ROWS}")]
    Length(usize),
    /// The threshold is not greater than the one before.
    #[error("row {0} of the calibration's table is not above the one before")]
    Unsorted(usize),
    /// A greater threshold makes fewer false matches, or more false non-matches.
    #[error("the errors in row {0} of the calibration's table can't follow those before")]
    NotMonotone(usize),
    /// There are more errors than pairs.
    #[error("row {0} of the calibration's table has more errors than there are pairs")]
    TooManyErrors(usize),
}

impl Row {
    pub(super) fn threshold(&self) -> Threshold {
        self.0
    }

    pub(super) fn rates(&self, same_pairs: u64, different_pairs: u64) -> OperatingPoint {
        let Self(threshold, false_matches, false_non_matches) = *self;
        OperatingPoint {
            threshold,
            fmr: share(false_matches, different_pairs),
            fnmr: share(false_non_matches, same_pairs),
        }
    }
}

impl Table {
    /// Picks the steps that draw both errors, evenly and towards 0, and those that are asked for:
    /// around the EER, and at FMRs of 1, 2 and 5 in a power of ten.
    pub(super) fn measure(scores: &Scores) -> Self {
        let steps = scores.steps();
        let [same, different] = [scores.same().len(), scores.different().len()].map(count);
        let last = steps.len() - 1;
        // The greatest threshold with an FMR of at most this; 0 if there is none.
        let last_within = |fmr: f64| {
            steps.partition_point(|it| share(it.false_matches, different) <= fmr).saturating_sub(1)
        };
        // The smallest threshold with an FNMR of at most this.
        let first_within =
            |fnmr: f64| steps.partition_point(|it| fnmr < share(it.false_non_matches, same));
        let crossing = steps.partition_point(|it| {
            share(it.false_matches, different) <= share(it.false_non_matches, same)
        });
        let rates = |it: &Step| Rates {
            fmr: share(it.false_matches, different),
            fnmr: share(it.false_non_matches, same),
        };
        let best = (0..=last)
            .min_by(|a, b| by_balance(rates(&steps[*a]), rates(&steps[*b])))
            .unwrap_or_default();
        let even = (0..=EVEN_STEPS).map(|it| f64::from(it) / f64::from(EVEN_STEPS));
        let tail = |pairs: u64| {
            (0..TAIL_STEPS)
                .map(move |it| share(1, pairs).powf(1.0 - f64::from(it) / f64::from(TAIL_STEPS)))
        };
        let round = (1..=7).flat_map(|it| [1.0, 2.0, 5.0].map(|digit| digit / 10_f64.powi(it)));
        let picked: BTreeSet<usize> = if steps.len() <= 256 {
            (0..=last).collect()
        } else {
            [0, crossing.saturating_sub(1), crossing.min(last), best, last]
                .into_iter()
                .chain(even.clone().chain(tail(different)).chain(round).map(last_within))
                .chain(even.chain(tail(same)).map(first_within))
                .collect()
        };
        let row = |at: usize| {
            let step = steps[at];
            let value = step.threshold();
            // Distances too close for a written number between them can't be told apart either.
            let is_short = value.to_bits() == rounded(value, 15).to_bits();
            let threshold = Threshold::try_from(value).expect("distances are thresholds");
            is_short.then_some(Row(threshold, step.false_matches, step.false_non_matches))
        };
        Self(picked.into_iter().filter_map(row).collect())
    }

    /// Checks what a file claims.
    pub(super) fn check(&self, same_pairs: u64, different_pairs: u64) -> Result<(), InvalidTable> {
        let Self(rows) = self;
        if rows.is_empty() || MAX_ROWS < rows.len() {
            return Err(InvalidTable::Length(rows.len()));
        }
        for (at, Row(_, false_matches, false_non_matches)) in rows.iter().enumerate() {
            if different_pairs < *false_matches || same_pairs < *false_non_matches {
                return Err(InvalidTable::TooManyErrors(at));
            }
        }
        for (at, pair) in rows.windows(2).enumerate() {
            let [Row(low, fewer, more), Row(high, many, few)] = [pair[0], pair[1]];
            if high <= low {
                return Err(InvalidTable::Unsorted(at + 1));
            }
            if many < fewer || more < few {
                return Err(InvalidTable::NotMonotone(at + 1));
            }
        }
        Ok(())
    }

    /// At least one row, in ascending thresholds.
    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }
}
