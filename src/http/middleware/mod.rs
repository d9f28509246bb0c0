//! The middleware around every request.

pub(crate) mod authorise;
pub(crate) mod cors;
pub(crate) mod dialect;
pub(crate) mod exchange;
pub(crate) mod identify;
pub(crate) mod linger;
pub(crate) mod malformed;
pub(crate) mod report;
pub(crate) mod secure;
pub(crate) mod trace;
pub(crate) mod unsent;
