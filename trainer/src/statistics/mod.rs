//! Statistics of distances: error rates, intervals, comparisons and calibration checks.
//!
//! This module knows embeddings and numbers. It knows no images, files or networks.

mod bootstrap;
mod comparisons;
mod even_sample;
mod likelihood;
mod measures;
mod one_shot;
mod paired;
mod plane;
mod reliability;
mod retrieval;
mod split;
mod unit;
mod unseen;

pub use bootstrap::{Band, Bootstrap, Interval, RatesInterval};
pub use comparisons::{Comparison, Comparisons, NotComparable};
pub use even_sample::EvenSample;
pub use likelihood::{Cllr, Steps, cost, curve};
pub use measures::{Grid, Measures};
pub use one_shot::{GroupRate, NoEpisode, OneShot, OneShotRate};
pub use paired::{Difference, Differences};
pub use plane::Plane;
pub use reliability::{ReliabilityBin, reliability};
pub use retrieval::{Estimate, Retrieval};
pub use unit::Unit;
pub use unseen::{Fitted, Promise, Unseen};

/// How many pairs, people or episodes.
#[expect(clippy::cast_precision_loss, reason = "no one has 2^53 of them")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// As [`real`].
#[expect(clippy::cast_precision_loss, reason = "no one has 2^53 of them")]
pub(crate) fn real64(count: u64) -> f64 {
    count as f64
}
