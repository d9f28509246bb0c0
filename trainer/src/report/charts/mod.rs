//! The charts of a report.

mod checks;
mod contact_sheet;
mod curves;
mod histogram;
mod map;

pub(super) use checks::{promises, reliability, training};
pub(super) use contact_sheet::{contact_sheet, pick, worst};
pub(super) use curves::{det, roc};
pub(super) use histogram::histogram;
pub(super) use map::map;
