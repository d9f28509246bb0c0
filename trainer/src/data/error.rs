//! What can be wrong with somebody's images.

use std::path::PathBuf;

use siamese_core::preprocessing::DecodeError;
use thiserror::Error;

use super::ListError;

/// Why a folder can't be trained on or evaluated: one line each, with the way out.
#[derive(Debug, Error)]
pub enum DataError {
    /// The folder can't be walked.
    #[error("{} can't be read: give a folder that holds one folder for each identity, or a list of pairs", .folder.display())]
    Unwalkable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// There is no image in any folder below it.
    #[error("{} holds no images: put each identity's into a folder of its own, as DIR/IDENTITY/IMAGE", .0.display())]
    Empty(PathBuf),
    /// Images lie where folders should.
    #[error("{} lies directly in the data folder: put it into a folder named after whom or what it shows", .0.display())]
    Loose(PathBuf),
    /// Nothing can be told apart.
    #[error("there is one identity only, {0}: different pairs need at least two")]
    OneIdentity(String),
    /// Identities without a same pair.
    #[error("identities with a single image have no same pair: {}; add an image to each, or take them out", listed(.0))]
    SingleImage(Vec<String>),
    /// Files that are no images.
    #[error("{} cannot be read as images: {}; mend or remove them, or pass --skip-unreadable", counted(.0.len(), "file"), listed(.0))]
    Unreadable(Vec<String>),
    /// One file on both sides of the split.
    #[error("{} trained on and held out: {}; take them out of one side, or pass --allow-duplicates", copies(.0.len()), listed(.0))]
    Leaked(Vec<String>),
    /// A name that no folder has.
    #[error("there is no identity named {name} to hold out: the data has {}", listed(.known))]
    UnknownIdentity {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Holding out leaves too little.
    #[error("holding out {held} of {all} identities leaves {} to train on: at least two are needed on each side", .all - .held)]
    TooFewLeft {
        /// How many are held out.
        held: usize,
        /// How many there are.
        all: usize,
    },
    /// A file that is no list of pairs.
    #[error("{} is no list of pairs", .path.display())]
    BadList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: ListError,
    },
    /// Pairs of one kind alone.
    #[error(
        "{all} pairs here, and none that ought to be called {missing}: it takes both kinds, on each side of a split: add some, or choose another split"
    )]
    OneKind {
        /// How many there are.
        all: usize,
        /// The kind that is not there.
        missing: &'static str,
    },
    /// A list that can't be split so.
    #[error(
        "of {all} components, which are images that pairs connect, {held} would be held out: at least one is \
         needed on each side"
    )]
    NoSide {
        /// How many are held out.
        held: usize,
        /// How many there are.
        all: usize,
    },
    /// A list of names can't be read.
    #[error("the list of names {} can't be read", .path.display())]
    List {
        /// The list's file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
}

/// Why one file gives no pixels.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Image(#[from] DecodeError),
}

/// The first few of many, so that a line stays a line.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn copies(count: usize) -> String {
    if count == 1 { "1 file is both".to_owned() } else { format!("{count} files are both") }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
