//! What a tower is worth on pictures of identities it may not have seen.

mod acquaintance;
mod chosen;
mod command;
mod embedded;
mod evaluation;
mod operating;
mod sections;
mod table;
mod thumbnail;

pub use acquaintance::Acquaintance;
pub use chosen::{Chosen, Pictures};
pub use command::Evaluate;
pub use embedded::{Embedded, EmbeddedError, compare};
pub use evaluation::{
    Evaluation, Map, OfIdentity, ProbabilityCheck, Stated, Subject, TABLE_FMRS, ThresholdSource,
};
pub use operating::{Aim, Operating};
pub use sections::{UnseenLines, chosen_for, left_out};
pub use table::Table;
pub use thumbnail::thumbnail;
