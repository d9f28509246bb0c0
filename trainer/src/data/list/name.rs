//! The names of images in a list.

use std::path::{Component, Path};

use super::BadLine;

/// Returns the name of an image relative to the list's folder, with `/` between its parts and without `.`.
///
/// # Errors
///
/// If the name is no file name, or leads outside the folder.
pub(super) fn normalised(name: &str) -> Result<String, BadLine> {
    if name.chars().any(char::is_control) {
        return Err(BadLine::InvalidName(name.to_owned()));
    }
    let mut parts = Vec::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::CurDir => {}
            _ => return Err(BadLine::Outside(name.to_owned())),
        }
    }
    if parts.is_empty() {
        return Err(BadLine::InvalidName(name.to_owned()));
    }
    Ok(parts.join("/"))
}
