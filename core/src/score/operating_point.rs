//! A threshold and its error rates.

use serde::Serialize;
use thiserror::Error;

use super::Threshold;

/// A threshold with the error rates measured at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperatingPoint {
    /// The largest distance that is called same.
    pub threshold: Threshold,
    /// The share of different pairs that are called same, in `[0, 1]`.
    pub fmr: f64,
    /// The share of same pairs that are called different, in `[0, 1]`.
    pub fnmr: f64,
}

/// Why no operating point exists for an FMR.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum UnsupportedFmr {
    /// The FMR is outside the open interval from 0 to 1.
    #[error("an FMR must be between 0 and 1, not {0}")]
    OutOfRange(f64),
    /// There are too few different pairs: even without a single false match they would not support this FMR.
    #[error(
        "{different_pairs} different pairs can't support an FMR of {fmr}; the smallest FMR they \
         support is {smallest:.2e}"
    )]
    TooFewPairs {
        /// The requested FMR.
        fmr: f64,
        /// The number of measured different pairs.
        different_pairs: u64,
        /// The smallest FMR that these pairs support.
        smallest: f64,
    },
    /// Too many different pairs are at distance 0.
    #[error("no threshold has an FMR of {fmr} or less: even threshold 0 has {at_zero}")]
    Unreachable {
        /// The requested FMR.
        fmr: f64,
        /// The FMR at the smallest threshold.
        at_zero: f64,
    },
}
