//! Decides whether two images show the same thing.
//!
//! The modules stand in the order of a request; a `use` never points back along it:
//! `cli → http → judgement, deployment → batch → model → picture, score`.

pub mod batch;
pub mod cache;
pub mod cli;
pub mod deployment;
pub mod file;
pub mod http;
pub mod judgement;
pub mod keys;
pub mod memory;
pub mod model;
pub mod npy;
pub mod picture;
pub mod readiness;
pub mod score;
pub mod self_test;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod traces;
pub mod warm_up;
pub mod watch;
pub mod worker;
