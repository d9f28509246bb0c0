//! Somebody else's network as a tower: probed, tried, calibrated, and written with all that its
//! use needs.

mod command;
mod error;
mod inline;
mod probe;
mod steady;
mod trial;

pub use command::Adopt;
pub use error::{AdoptError, NoTower};
