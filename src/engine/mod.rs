//! A model in service: admission, decoding, batches, cache, self-test, tuning, and its exchange for another.
//!
//! It knows no HTTP.

pub mod batch;
pub mod cache;
pub mod decode;
pub mod deployment;
pub(crate) mod distinct;
pub mod judgement;
pub(crate) mod pipeline;
pub(crate) mod portions;
pub mod readiness;
pub mod self_test;
pub mod warm_up;
pub mod watch;
