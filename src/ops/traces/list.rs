//! Lists in the standard variables: `key=value` pairs, separated by commas and percent-encoded.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why a text is not a valid list. The text may hold a secret, so the message contains only the entry's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidList {
    /// The entry contains no `=`.
    #[error("entry {0} is not key=value")]
    NoPair(usize),
    /// The entry's key is invalid.
    #[error("entry {0} has an invalid key")]
    Key(usize),
    /// The entry's value is invalid.
    #[error("entry {0} has an invalid value")]
    Value(usize),
    /// The entry names a header that the client sets itself.
    #[error("entry {0} names a header that the exporter sets itself")]
    Taken(usize),
}

/// An entry of a list.
pub(super) struct Entry<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// The key, not decoded.
    pub(super) key: &'a str,
    /// The value, decoded.
    pub(super) value: Vec<u8>,
}

/// The entries of a list. Empty ones, such as after a final comma, are ignored.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry<'_>, InvalidList>> {
    text.split(',').map(str::trim).zip(1..).filter(|(entry, _)| !entry.is_empty()).map(
        |(entry, number)| {
            let (key, value) = entry.split_once('=').ok_or(InvalidList::NoPair(number))?;
            let value = percent_decode_str(value.trim()).collect();
            Ok(Entry { number, key: key.trim(), value })
        },
    )
}
