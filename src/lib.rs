//! Decides whether two images show the same thing.
//!
//! The modules stand in the order of a request; a `use` never points back along it:
//! `cli → http → judgement → batch → model → picture, score`.

pub mod batch;
pub mod cache;
pub mod cli;
pub mod http;
pub mod judgement;
pub mod memory;
pub mod model;
pub mod picture;
pub mod readiness;
pub mod score;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod warm_up;
