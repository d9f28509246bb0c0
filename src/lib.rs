//! Decides whether two images show the same thing.
//!
//! Images, distances and the towers' files are [`siamese_core`]'s; this is the server around them, and its command line. A
//! `use` never points back along `cli → http → stop → readiness → deployment → self_test → batch → settings → …`, the whole
//! of which is in `tests/layers`.

pub mod aside;
pub mod batch;
pub mod cache;
pub mod cli;
pub mod deployment;
pub mod http;
pub mod judgement;
pub mod keys;
pub mod npy;
pub mod readiness;
pub mod self_test;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod traces;
pub mod warm_up;
pub mod watch;
pub mod worker;
