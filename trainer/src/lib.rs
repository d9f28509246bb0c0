//! Makes and measures the models that siamese serves.
//!
//! A module uses only what stands below it here:
//!
//! - [`cli`]: the commands
//! - [`report`]: figures for people and machines
//! - [`export`]: models' files, of a trained network, of anybody's, of a larger model
//! - [`evaluate`]: what a model is worth, what it is calibrated to, which of two is better
//! - [`learn`]: the loop, its batches, losses and checkpoints
//! - [`config`]: every choice of a run, and the record of them
//! - [`network`]: the networks
//! - [`data`]: images, who is held out, and how they are varied
//! - [`draft`]: files in the making
//! - [`statistics`]: numbers of distances
//!
//! Images are preprocessed by the core's code, as the server has them preprocessed, and an export counts only once the server's
//! own model has run it.

pub mod cli;
pub mod config;
pub mod data;
pub mod draft;
pub mod evaluate;
pub mod export;
pub mod learn;
pub mod network;
pub mod report;
pub mod statistics;
