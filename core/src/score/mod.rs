//! Embeddings, distances, and what is ruled on them.
//!
//! Pure: numbers in, values out. Knows no images, no model and no HTTP.

mod calibration;
mod embedding;
mod operating_point;
mod probability;
mod scores;
mod threshold;

pub use calibration::{
    Calibration, CalibrationError, InvalidCalibration, InvalidTable, InvalidUnseen, Unseen,
};
pub use embedding::{Distance, Embedding, InvalidDistance, InvalidEmbedding};
pub use operating_point::{OperatingPoint, UnsupportedFmr};
pub use probability::{InvalidProbability, Probability};
pub use scores::{NoPairs, Rates, Scores, equal_error_rate};
pub use threshold::{InvalidThreshold, Threshold, Verdict};
