//! What a model is worth on images of identities it may not have seen, and which of two is better.

mod acquaintance;
mod by_identity;
mod calibrate;
mod embedded;
mod evaluation;
mod operating;
mod probability;
mod side_by_side;
mod subject;
mod thumbnail;

pub use acquaintance::Acquaintance;
pub use by_identity::OfIdentity;
pub use calibrate::{CalibrateError, Calibrated, Wanted, calibrate};
pub use embedded::{Embedded, EmbeddedError, compare, embed, embedding_bar};
pub use evaluation::{Evaluation, Map, TABLE_FMRS, ThresholdSource};
pub use operating::{Aim, Operating};
pub use probability::ProbabilityCheck;
pub use side_by_side::{Contested, ContestedPair, Row, SideBySide, Tally};
pub use subject::Subject;
pub use thumbnail::thumbnail;
