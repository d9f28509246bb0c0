//! How well a tower tells identities apart, and how sure one can be of it.
//!
//! Embeddings in, numbers out: knows no pictures, no files and no network.

mod bootstrap;
mod comparisons;
mod measures;
mod one_shot;

pub use bootstrap::{Band, Bootstrap, Interval};
pub use comparisons::{Comparison, Comparisons, NotComparable};
pub use measures::{Grid, Measures};
pub use one_shot::{GroupRate, NoEpisode, OneShot, OneShotRate};
