//! Makes and measures the towers that siamese serves.
//!
//! `data → augment → network → loss → learn → export`, each knowing only what stands before it;
//! `evaluate → statistics → report`, `calibrate` and `adopt` know a finished tower alone. Pictures are prepared by the
//! core's code, as the server has them prepared, and an export counts only once the server's own tower has run it.

pub mod adopt;
pub mod augment;
pub mod calibrate;
pub mod config;
pub mod data;
pub mod draft;
pub mod evaluate;
pub mod export;
mod grid;
pub mod learn;
pub mod loss;
pub mod network;
pub mod provenance;
pub mod report;
pub mod side_by_side;
pub mod statistics;
pub mod train;
