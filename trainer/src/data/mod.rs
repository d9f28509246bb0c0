//! Folders of pictures: `DIR/IDENTITY/PICTURE`.
//!
//! Knows files and the server's picture code; no network and no loss.

mod digest;
mod error;
mod folder;
mod gallery;
mod hold_out;
mod inspection;
mod likeness;
mod natural;
mod symmetry;

pub use digest::digest_of_file;
pub use error::DataError;
pub use folder::{Folder, Identity};
pub use gallery::{Gallery, Sample};
pub use hold_out::{Fold, HoldOut, InvalidFold};
pub use inspection::inspect;
pub use symmetry::Symmetry;
