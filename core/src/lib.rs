//! What serving and training have in common: from an image's bytes to the pixels that a model reads, the model, and what
//! is ruled on its embeddings.
//!
//! Knows no server: it compiles without an async runtime, HTTP and metrics. Schemas for the API's document are behind the
//! feature `openapi`.
//!
//! The modules stand in the order of their layers; a `use` never points back along it:
//! `model → image, score, file`.

mod causes;
pub mod file;
pub mod memory;
pub mod model;
pub mod preprocessing;
pub mod score;

pub use causes::causes;
