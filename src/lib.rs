//! Decides whether two images show the same thing.
//!
//! The modules stand in the order of a request; a `use` never points back along it:
//! `http → batch → model → picture, score`.

pub mod picture;
pub mod score;
