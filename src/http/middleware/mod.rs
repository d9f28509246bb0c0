//! What happens around every request.

pub(crate) mod authorise;
pub(crate) mod cors;
pub(crate) mod exchange;
pub(crate) mod flawed;
pub(crate) mod identify;
pub(crate) mod linger;
pub(crate) mod secure;
pub(crate) mod trace;
pub(crate) mod untaken;
