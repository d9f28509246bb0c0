//! The text of an error and its causes.

use std::error::Error;

/// Joins the messages of an error and of all its causes into one text.
pub fn causes(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
