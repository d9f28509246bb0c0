//! Measures the towers that siamese serves.

pub mod statistics;
