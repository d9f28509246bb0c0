//! Errors in a list.

use std::io;

use thiserror::Error;

/// The largest size of a list in bytes: more than a million lines, and small enough to fit in memory several times.
pub(super) const LARGEST: u64 = 64 << 20;

/// A file is not a valid list.
#[derive(Debug, Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// The file is too large.
    #[error("it is {0} bytes, and a list may be at most {LARGEST} bytes: split it")]
    TooLarge(u64),
    /// The first line does not name the columns of a list.
    #[error(
        "the first line must name the columns a,b,same (pairs), anchor,positive,negative (triplets), \
         before,after,changed (change detection) or path,label (images), separated by commas; split may be added, and \
         boxes or mask to change detection; it is {0:?}"
    )]
    Header(String),
    /// There is no line below the header.
    #[error("there are no lines below the first line")]
    Empty,
    /// A line is invalid.
    #[error("line {line}: {why}")]
    Line {
        /// The line number; the header is line 1.
        line: u64,
        /// What is wrong with it.
        why: BadLine,
    },
}

/// The error in a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadLine {
    /// It has more or fewer fields than the header.
    #[error("it has {0} fields, and the first line has {1}")]
    Fields(u64, u64),
    /// It is not text.
    #[error("it is not UTF-8")]
    NotText,
    /// The name of an image is empty or cannot be a file name.
    #[error("{0:?} is not a valid image name")]
    InvalidName(String),
    /// The image is outside the list's folder.
    #[error("{0} is not below the list's folder: move the list to a folder above all its images")]
    Outside(String),
    /// The image is compared with itself, which measures nothing.
    #[error("{0} is compared with itself")]
    Itself(String),
    /// The label is invalid.
    #[error("{column} is {value:?}: write 1 or 0 (true or false, yes or no)")]
    InvalidLabel {
        /// The column's name.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The boxes are invalid.
    #[error("boxes is {0:?}: write x1 y1 x2 y2 for each box, in pixels, and ; between boxes")]
    InvalidBoxes(String),
    /// The label contradicts the boxes or the mask.
    #[error(
        "changed contradicts {0}: a changed pair has a value there, and an unchanged pair has none"
    )]
    ContradictsArea(&'static str),
    /// The label of an image is empty or cannot be a name.
    #[error("{0:?} is not a label: write the identity of the image")]
    NoIdentity(String),
    /// An image has another label on an earlier line.
    #[error("{0} has the label {1:?} on line {2}: an image has one identity")]
    Relabelled(String, String, u64),
    /// Images of one label are on both sides of the split.
    #[error(
        "{0:?} is on the other side of the split on line {1}: an identity is trained on or held out"
    )]
    SplitIdentity(String, u64),
    /// The side of the split is invalid.
    #[error("split is {0:?}: write train or held-out")]
    InvalidSplit(String),
    /// Two images are same on one line and different on another.
    #[error("it contradicts line {0} about {1} and {2}: correct one of them")]
    Contradiction(u64, String, String),
    /// Connected images are on both sides of the split.
    #[error(
        "{0} is on the other side of the split on line {1}, directly or through images it is compared with"
    )]
    BothSides(String, u64),
}

/// Converts an error of the CSV reader.
pub(super) fn from_csv(error: csv::Error) -> ListError {
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
