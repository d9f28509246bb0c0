//! Comparison of two models on the same images: which one is better, whether the difference is significant, and on which
//! pairs their verdicts differ.

mod contested;
mod found;
mod row;

pub use contested::{Contested, ContestedPair, Tally};
pub use found::SideBySide;
pub use row::Row;
