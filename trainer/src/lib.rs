//! Measures the towers that siamese serves.

pub mod evaluate;
pub mod report;
pub mod statistics;
