//! `OpenAI`'s API for embeddings, with images in place of texts.

pub(crate) mod embeddings;
mod input;
pub(crate) mod models;

#[cfg(fuzzing)]
pub(crate) use embeddings::ToEmbed;
