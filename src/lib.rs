//! Decides whether two images show the same thing.
//!
//! Images, distances and the models' files are [`siamese_core`]'s; this is the server around them, and its command line.
//!
//! # Layout
//!
//! In reading order, from what users meet to what the rest stands on. A module uses only what stands below it; `tests/layers`
//! holds the whole crate to that.
//!
//! - [`cli`]: commands, their output and exit codes.
//! - [`http`]: routes, requests, responses, connections and metrics.
//! - [`engine`]: a model in service, from upload to embedding and verdict. It knows no HTTP.
//! - [`ops`]: settings, the log, traces, keys, the stop.

pub mod cli;
pub mod http;

pub mod engine;

pub mod ops;
