//! What requests say: heads, queries and bodies.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod media;
pub(crate) mod multipart;
pub(crate) mod query;
pub(crate) mod source;
