//! What a tower is worth on pictures of identities it may not have seen.

mod evaluation;
mod table;
mod thumbnail;

pub use evaluation::{Evaluation, OfIdentity, Subject, TABLE_FMRS, ThresholdSource};
pub use table::Table;
pub use thumbnail::thumbnail;
