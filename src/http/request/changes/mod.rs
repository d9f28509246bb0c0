//! What a request for changes contains: the images, and the query.

mod images;
mod query;

pub(crate) use images::{Changes, ChangesForm, SceneImages};
#[cfg(fuzzing)]
pub(crate) use query::parse;
pub(crate) use query::{Changing, Comparing, View};
