//! The code that serving and training share: image preprocessing, models, scores, changes, and judgements.
//!
//! This crate does not depend on an async runtime, on HTTP or on a metrics library. The feature `openapi` adds the
//! schemas for the API's document, and the feature `manual` the manual pages of both programs.
//!
//! A module uses only modules to its right in `judgement → changes, model → preprocessing, score, file, output`.

// A print panics if standard output is full: `output` writes.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod causes;
pub mod changes;
pub mod file;
pub mod judgement;
#[cfg(feature = "manual")]
pub mod manual;
pub mod memory;
pub mod model;
pub mod output;
pub mod preprocessing;
pub mod score;

pub use causes::causes;
