//! The handlers, one file per route.

pub(crate) mod changes;
pub(crate) mod compare;
pub(crate) mod compare_batch;
pub(crate) mod detect;
pub(crate) mod embed;
pub(crate) mod models;
pub(crate) mod pixels;
pub(crate) mod protocols;
pub(crate) mod status;
