//! The pairs of a list that tells where images have changed: which cells have changed, and in which boxes.
//!
//! The core aligns the images of a pair and evens out their light, as it does for the server.

mod aligned;
mod area;
mod pair;
mod shift;
mod truth;

pub(crate) use aligned::AlignedPair;
pub use aligned::NotAligned;
pub use pair::ChangePair;
pub(crate) use pair::Uploads;
pub use shift::Shift;
pub use truth::{CellTruth, Truth};
