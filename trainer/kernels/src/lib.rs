//! Convolutions and their gradients on the CPU, for the trainer's networks.
//!
//! This crate knows slices of numbers. It knows no tensors, no graph of operations and no network.

#![expect(
    clippy::inline_always,
    reason = "a function that is not inlined is compiled without the vector instructions"
)]

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
