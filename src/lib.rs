//! Decides whether two images show the same thing.
//!
//! [`siamese_core`] handles images, distances and model files. This crate adds the server and its command line.
//!
//! # Layout
//!
//! In reading order, from what users see down to the foundations. A module uses only modules below it; `tests/layers`
//! checks that for the whole crate.
//!
//! - [`cli`]: commands, their output and exit codes.
//! - [`http`]: routes, requests, responses, connections and metrics.
//! - [`engine`]: a model in service, from upload to embedding and verdict. It knows no HTTP.
//! - [`ops`]: settings, the log, traces, keys and shutdown.

// A print panics if standard output is full: `siamese_core::output` writes.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod http;

pub mod engine;

pub mod ops;
