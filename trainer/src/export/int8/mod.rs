//! `siamese-trainer export`: a tower in a smaller and faster form, for what it is measured to cost.
//!
//! Knows a finished tower alone: which layers become smaller, how far that moves the distances of
//! identities held out, and that it is written only within a bound.

mod blocks;
mod command;
mod drift;
mod layers;

pub use command::{Export, Int8Error, WeightsWanted};
pub use layers::LayersError;
