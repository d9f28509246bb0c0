//! Embeddings, distances, and what is ruled on them.
//!
//! Pure: numbers in, values out. Knows no pictures, no tower and no HTTP.

mod embedding;
mod threshold;

pub use embedding::{Distance, Embedding, InvalidEmbedding};
pub use threshold::{InvalidThreshold, Threshold, Verdict};
