//! Lists as the standard variables have them: `key=value` between commas, percent-encoded where it must be.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why a text is no such list. The text may hold a secret, so only the item's number is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidList {
    /// There is no `=` in it.
    #[error("item {0} is not key=value")]
    NoPair(usize),
    /// Its key can't be one.
    #[error("item {0} has a key that can't be")]
    Key(usize),
    /// Its value can't be one.
    #[error("item {0} has a value that can't be")]
    Value(usize),
    /// It would take the place of a header that the exporter sets.
    #[error("item {0} names a header that every request has already")]
    Taken(usize),
}

/// An item of a list.
pub(super) struct Item<'a> {
    /// From 1.
    pub(super) number: usize,
    /// As it stands there.
    pub(super) key: &'a str,
    /// What it means.
    pub(super) value: Vec<u8>,
}

/// The items of a list; empty ones, as after the last comma, count for nothing.
pub(super) fn items(text: &str) -> impl Iterator<Item = Result<Item<'_>, InvalidList>> {
    text.split(',').map(str::trim).zip(1..).filter(|(item, _)| !item.is_empty()).map(
        |(item, number)| {
            let (key, value) = item.split_once('=').ok_or(InvalidList::NoPair(number))?;
            let value = percent_decode_str(value.trim()).collect();
            Ok(Item { number, key: key.trim(), value })
        },
    )
}
