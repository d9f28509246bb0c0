//! What requests say. Heads and bodies are extractors: a handler gets what it asks for, or its client a problem.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod form;
pub(crate) mod images;
pub(crate) mod json;
pub(crate) mod mistake;
pub(crate) mod multipart;
pub(crate) mod pairs;
pub(crate) mod query;
pub(crate) mod received;
pub(crate) mod source;
