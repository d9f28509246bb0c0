//! Embeddings, distances, thresholds and verdicts.
//!
//! All functions are pure: numbers in, values out. This module knows no images, no model and no HTTP.

mod calibration;
mod change_calibration;
mod embedding;
mod familiarity;
mod groups;
mod map;
mod operating_point;
mod probability;
mod scores;
mod threshold;

pub use calibration::{
    Calibration, CalibrationError, InvalidCalibration, InvalidTable, InvalidUnseen, Unseen,
};
pub use change_calibration::ChangeCalibration;
pub use embedding::{Distance, Embedding, InvalidDistance, InvalidEmbedding};
pub use familiarity::{Example, Familiarity, InvalidFamiliarity, NotDescribed, Stream, UNFAMILIAR};
pub use groups::{Group, TooManyPairs, group};
pub use map::{InvalidMap, Map};
pub use operating_point::{OperatingPoint, UnsupportedFmr};
pub use probability::{InvalidProbability, Probability};
pub use scores::{NoPairs, Rates, Scores, equal_error_rate, threshold_between};
pub use threshold::{InvalidThreshold, Threshold, Verdict};
