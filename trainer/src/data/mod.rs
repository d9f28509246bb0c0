//! Pictures: of a folder, `DIR/IDENTITY/PICTURE`, or of a list of pairs.
//!
//! Knows files and the server's picture code; no network and no loss.

mod collection;
mod components;
mod digest;
mod error;
mod folder;
mod gallery;
mod header;
mod hold_out;
mod inspection;
mod likeness;
mod list;
mod list_error;
mod listing;
mod natural;
mod symmetry;

pub use collection::{Collection, Identity};
pub use digest::digest_of_file;
pub use error::DataError;
pub use gallery::{Gallery, Sample};
pub use hold_out::{Fold, HoldOut, InvalidFold};
pub use inspection::inspect;
pub use list_error::{BadLine, ListError};
pub use listing::{ListedPair, Listing};
pub use symmetry::Symmetry;
