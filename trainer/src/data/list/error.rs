//! What can be wrong with a list.

use std::io;

use thiserror::Error;

/// The largest list: a million lines and more, and small enough to be held in memory several times.
pub(super) const LARGEST: u64 = 64 << 20;

/// Why a file is no list.
#[derive(Debug, Error)]
pub enum ListError {
    /// The file can't be read.
    #[error("it can't be read")]
    Io(#[from] io::Error),
    /// It is larger than any list ought to be.
    #[error("it has {0} bytes, and a list has at most {LARGEST}: split it")]
    TooLarge(u64),
    /// Nobody can tell what the columns are.
    #[error(
        "its first line has to name the columns a,b,same (pairs), anchor,positive,negative (triplets) or \
         before,after,changed (change detection), with commas between them, and may name split beside \
         them; it is {0:?}"
    )]
    Header(String),
    /// There is no line below the header.
    #[error("there is nothing below its first line")]
    Empty,
    /// One line won't do.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1, the header's.
        line: u64,
        /// What is wrong with it.
        why: BadLine,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadLine {
    /// It has more or fewer fields than the header.
    #[error("it has {0} fields, and the first line has {1}")]
    Fields(u64, u64),
    /// It is no text.
    #[error("it is not in UTF-8")]
    NotText,
    /// An image's field is empty, or names no file that could be.
    #[error("{0:?} is no name of an image")]
    NoImage(String),
    /// An image that lies elsewhere.
    #[error("{0} does not lie below the list's own folder: put the list above all its images")]
    Outside(String),
    /// An image beside itself, which says nothing of a model.
    #[error("{0} is compared with itself")]
    Itself(String),
    /// An answer that is none.
    #[error("{column} is {value:?}: write 1 or 0 (true or false, yes or no)")]
    NoAnswer {
        /// The column's name.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// A side that is none.
    #[error("split is {0:?}: write train or held-out")]
    NoSide(String),
    /// Two images are the same on one line and different on another.
    #[error("it says the opposite of line {0} about {1} and {2}: mend one of them")]
    Contradiction(u64, String, String),
    /// Images that hang together stand on both sides.
    #[error(
        "{0} is on the other side of the split on line {1}, itself or by images it is compared with"
    )]
    BothSides(String, u64),
}

/// What the reader of CSV finds wrong.
pub(super) fn in_words(error: csv::Error) -> ListError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            ListError::Line { line, why: BadLine::Fields(len, expected_len) }
        }
        csv::ErrorKind::Utf8 { .. } => ListError::Line { line, why: BadLine::NotText },
        csv::ErrorKind::Io(cause) => cause.into(),
        _ => ListError::Header(String::new()),
    }
}
