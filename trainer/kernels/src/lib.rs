//! Convolutions and their gradients on the CPU, for the trainer's networks.
//!
//! Knows slices of numbers alone: no tensors, no graph of operations, and no network.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for any processor")]

mod convolution;
mod geometry;
mod norm;
mod statistics;
mod sweep;
mod task;
mod tile;
mod unit;
mod weight_gradient;

pub use geometry::Geometry;
pub use statistics::Statistics;
pub use unit::{Gradients, Seen, Trained, Unit, Weights};
