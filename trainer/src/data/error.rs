//! Errors in the images of a user.

use std::path::PathBuf;

use siamese_core::model::ModelError;
use siamese_core::preprocessing::DecodeError;
use siamese_core::score::InvalidEmbedding;
use thiserror::Error;

use super::ListError;

/// Images cannot be used for training or evaluation. Each message is one line and says what to do.
#[derive(Debug, Error)]
pub enum DataError {
    /// The folder cannot be listed.
    #[error("{} cannot be read: give a folder with one subfolder for each identity, or a list of pairs", .folder.display())]
    Unwalkable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A link in the data folder leads nowhere, so the identity that it stands for is missing.
    #[error("{} is a link that leads nowhere: correct or remove it", .0.display())]
    LostLink(PathBuf),
    /// There is no image in any subfolder.
    #[error("{} contains no images: put the images of each identity into a subfolder, as DIR/IDENTITY/IMAGE", .0.display())]
    Empty(PathBuf),
    /// There is no image at all.
    #[error("{} contains no images", .0.display())]
    NoImages(PathBuf),
    /// Each image cannot be an identity in a list.
    #[error("{} is a list, which says itself what belongs together: give a folder, or omit each-image", .0.display())]
    NotEach(PathBuf),
    /// An image is directly in the data folder.
    #[error("{} is directly in the data folder: move it to a subfolder named after its identity, or pass --identities each-image", .0.display())]
    OutsideIdentity(PathBuf),
    /// There are no different pairs.
    #[error("there is only one identity, {0}: different pairs need at least two")]
    OneIdentity(String),
    /// Some identities have no same pair.
    #[error("identities with a single image have no same pair: {}; add an image to each, or remove them", listed(.0))]
    SingleImage(Vec<String>),
    /// Files cannot be read as images.
    #[error("{} cannot be read as images: {}; correct or remove them, or pass --skip-unreadable", counted(.0.len(), "file"), listed(.0))]
    Unreadable(Vec<String>),
    /// Files are on both sides of the split.
    #[error("{} in both the training set and the hold-out set: {}; remove them from one, or pass --allow-duplicates", copies(.0.len()), listed(.0))]
    Leaked(Vec<String>),
    /// No identity has this name.
    #[error("there is no identity named {name}: the data has {}", listed(.known))]
    UnknownIdentity {
        /// The requested name.
        name: String,
        /// The names in the data.
        known: Vec<String>,
    },
    /// The hold-out leaves too few identities on one side.
    #[error("holding out {held} of {all} identities leaves {} to train on: each side needs at least two", .all - .held)]
    TooFewLeft {
        /// The number of held-out identities.
        held: usize,
        /// The number of all identities.
        all: usize,
    },
    /// The file is not a valid list.
    #[error("{} is not a valid list", .path.display())]
    BadList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: ListError,
    },
    /// All pairs are of one kind.
    #[error(
        "there are {all} pairs here, but no {missing} pairs: each side of a split needs both kinds; add some, or choose another split"
    )]
    OneKind {
        /// The number of pairs.
        all: usize,
        /// The missing kind.
        missing: &'static str,
    },
    /// One side of the split of a list would be empty.
    #[error(
        "{held} of {all} components (groups of images that pairs connect) would be held out: each side needs at \
         least one, so hold out another part, or add pairs that share no image with these"
    )]
    EmptySide {
        /// The number of held-out components.
        held: usize,
        /// The number of all components.
        all: usize,
    },
    /// A file of names cannot be read.
    #[error("the file of names {} cannot be read", .path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
}

/// A file cannot be read as an image.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// Its content is not an image that can be preprocessed.
    #[error("{0}")]
    Image(#[from] DecodeError),
    /// The backbone fails on it.
    #[error("{0}")]
    Features(#[from] ModelError),
    /// Its features are not finite.
    #[error("{0}")]
    NotFinite(#[from] InvalidEmbedding),
}

/// Joins the first few names, and states how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn copies(count: usize) -> String {
    if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
