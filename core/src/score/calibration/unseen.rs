//! What thresholds did to people they were not chosen on.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// More rows than anybody asks for.
const MAX_ROWS: usize = 16;

/// The errors of a threshold among identities that it was not chosen on.
///
/// In JSON: `{"fmr_asked": 0.01, "fmr": 0.013, "fmr_95": [0.001, 0.04], "fnmr": 0.21}`; without
/// `fmr_asked` the threshold was chosen for equal errors, and `fmr_95` may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unseen {
    /// The greatest FMR that was asked for; `None` for equal errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmr_asked: Option<f64>,
    /// The share of their different pairs called same, in `[0, 1]`.
    pub fmr: f64,
    /// Between which it would lie with other identities, at 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmr_95: Option<[f64; 2]>,
    /// The share of their same pairs called different, in `[0, 1]`.
    pub fnmr: f64,
}

/// Why a file's rows are not [`Unseen`].
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidUnseen {
    /// There is an absurd number of rows.
    #[error("the calibration has {0} rows of people unseen, where it takes {MAX_ROWS} at most")]
    Length(usize),
    /// It is no rate.
    #[error("a rate of the calibration's people unseen, {0}, is not between 0 and 1")]
    Rate(f64),
}

/// Checks what a file claims.
pub(super) fn check(rows: &[Unseen]) -> Result<(), InvalidUnseen> {
    if MAX_ROWS < rows.len() {
        return Err(InvalidUnseen::Length(rows.len()));
    }
    let rates = rows.iter().flat_map(|it| {
        let interval = it.fmr_95.into_iter().flatten();
        [it.fmr, it.fnmr].into_iter().chain(it.fmr_asked).chain(interval)
    });
    match rates.into_iter().find(|it| !(0.0..=1.0).contains(it)) {
        Some(rate) => Err(InvalidUnseen::Rate(rate)),
        None => Ok(()),
    }
}
