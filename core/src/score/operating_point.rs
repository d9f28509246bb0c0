//! A threshold and what it costs.

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

/// Why there is no operating point at an FMR.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum UnsupportedFmr {
    /// It is no rate at which one can operate.
    #[error("an FMR lies between 0 and 1, which {0} does not")]
    OutOfRange(f64),
    /// So few different pairs were measured that none of them being wrong would prove nothing.
    #[error(
        "an FMR of {fmr} can't be told from {different_pairs} different pairs; the smallest they \
         support is {smallest:.2e}"
    )]
    TooFewPairs {
        /// The FMR that was asked for.
        fmr: f64,
        /// How many different pairs were measured.
        different_pairs: u64,
        /// The smallest FMR that so many pairs support.
        smallest: f64,
    },
    /// More different pairs than that have no distance at all.
    #[error("no threshold has an FMR of {fmr} or less: even 0 has {at_zero}")]
    Unreachable {
        /// The FMR that was asked for.
        fmr: f64,
        /// The FMR at the smallest threshold.
        at_zero: f64,
    },
}
