//! Routes with the requests and responses of other services, for their clients.

pub(crate) mod inference;
pub(crate) mod openai;
pub(crate) mod verify;
