//! Trains and evaluates the models that siamese serves.
//!
//! Each module uses only the modules below it in this list:
//!
//! - [`cli`]: the commands
//! - [`report`]: results as text, HTML and JSON
//! - [`export`]: writes model files: a trained network, a foreign network, or a smaller form of a model
//! - [`evaluate`]: measures and calibrates a model, and compares two models
//! - [`learn`]: the training loop, its batches, losses and checkpoints
//! - [`config`]: the configuration of a run, and the record of it
//! - [`network`]: the networks
//! - [`backbone`]: pretrained networks from elsewhere, and their features
//! - `onnx`: the messages of ONNX files, and graphs under construction
//! - [`data`]: images, the hold-out split, and augmentation
//! - [`draft`]: writes files atomically
//! - `cache`: the folder of what can be fetched or computed again
//! - [`statistics`]: statistics of distances
//!
//! The core's code preprocesses the images, as it does in the server. An export is written only after the server's own
//! code has run it.

// A print panics if standard output is full: `siamese_core::output` writes.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod backbone;
mod cache;
pub mod cli;
pub mod config;
pub mod data;
pub mod draft;
pub mod evaluate;
pub mod export;
pub mod learn;
pub mod network;
mod onnx;
pub mod report;
pub mod statistics;
