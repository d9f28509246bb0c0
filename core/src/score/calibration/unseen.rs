//! The errors of thresholds on identities that were not used to choose them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A limit above any sensible number of rows.
const MAX_ROWS: usize = 16;

/// The errors of a threshold on identities that were not used to choose it.
///
/// In JSON: `{"fmr_asked": 0.01, "fmr": 0.013, "fmr_95": [0.001, 0.04], "fnmr": 0.21}`. Without `fmr_asked`, the
/// threshold was chosen for equal errors. `fmr_95` may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unseen {
    /// The requested largest FMR; `None` for equal errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmr_asked: Option<f64>,
    /// The share of different pairs called same, in `[0, 1]`.
    pub fmr: f64,
    /// The 95 % confidence interval of the FMR for other identities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmr_95: Option<[f64; 2]>,
    /// The share of same pairs called different, in `[0, 1]`.
    pub fnmr: f64,
}

/// Why a file's rows are not valid [`Unseen`] rows.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidUnseen {
    /// There are too many rows.
    #[error("the calibration has {0} rows for unseen identities, but may have at most {MAX_ROWS}")]
    Length(usize),
    /// The number is not a rate.
    #[error("a rate of the calibration's unseen identities, {0}, is not between 0 and 1")]
    Rate(f64),
}

/// Checks rows that were read from a file.
pub(super) fn check(rows: &[Unseen]) -> Result<(), InvalidUnseen> {
    if MAX_ROWS < rows.len() {
        return Err(InvalidUnseen::Length(rows.len()));
    }
    let rates = rows.iter().flat_map(|row| {
        let interval = row.fmr_95.into_iter().flatten();
        [row.fmr, row.fnmr].into_iter().chain(row.fmr_asked).chain(interval)
    });
    match rates.into_iter().find(|rate| !(0.0..=1.0).contains(rate)) {
        Some(rate) => Err(InvalidUnseen::Rate(rate)),
        None => Ok(()),
    }
}
