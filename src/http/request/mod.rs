//! Parses requests. Heads and bodies are extractors: the handler gets the parsed value, or the client gets a problem.

pub(crate) mod accept;
pub(crate) mod changes;
pub(crate) mod form;
pub(crate) mod images;
pub(crate) mod json;
pub(crate) mod mistake;
pub(crate) mod named;
pub(crate) mod pairs;
pub(crate) mod query;
pub(crate) mod received;
pub(crate) mod source;
