//! Trains, evaluates and calibrates the towers that siamese serves.
fn main() {}
