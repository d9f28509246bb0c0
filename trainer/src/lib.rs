//! Makes and measures the towers that siamese serves.
//!
//! A module uses only what stands below it here:
//!
//! - [`cli`]: the commands
//! - [`report`]: figures for people and machines
//! - [`export`]: towers' files, of a trained network, of anybody's, of a larger tower
//! - [`evaluate`]: what a tower is worth, what it is calibrated to, which of two is better
//! - [`learn`]: the loop, its batches, losses and checkpoints
//! - [`config`]: every choice of a run, and the record of them
//! - [`network`]: the networks
//! - [`data`]: pictures, who is held out, and how they are varied
//! - [`draft`]: files in the making
//! - [`statistics`]: numbers of distances
//!
//! Pictures are prepared by the core's code, as the server has them prepared, and an export counts only once the server's
//! own tower has run it.

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
