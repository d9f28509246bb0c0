//! Evaluation and calibration of a model, and comparison of two models.

mod by_identity;
mod calibrate;
pub mod changes;
mod embedded;
mod evaluation;
mod familiar;
mod inverted;
mod operating;
mod probability;
mod reduced;
mod side_by_side;
mod subject;
mod thumbnail;
mod training_overlap;

pub use by_identity::OfIdentity;
pub use calibrate::{CalibrateError, Calibrated, CalibrationRequest, calibrate};
pub use embedded::{Embedded, EmbeddedError, compare, embed, embedding_bar};
pub use evaluation::{Evaluation, Map, TABLE_FMRS, ThresholdSource};
pub use familiar::Familiar;
pub use inverted::InvertedLabels;
pub use operating::{Aim, Operating};
pub use probability::ProbabilityCheck;
pub use reduced::measure_reduction;
pub use side_by_side::{Contested, ContestedPair, Row, SideBySide, Tally};
pub use subject::Subject;
pub use thumbnail::thumbnail;
pub use training_overlap::TrainingOverlap;
