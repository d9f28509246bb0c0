//! Two models on the same images: which one is better, how sure that is, and where they differ.

mod contested;
mod found;
mod row;

pub use contested::{Contested, ContestedPair, Tally};
pub use found::SideBySide;
pub use row::Row;
