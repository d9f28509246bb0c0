//! Images from a folder, `DIR/IDENTITY/IMAGE` or `DIR/train/IDENTITY/IMAGE`, or from a list of pairs.
//!
//! This module knows files and the core's image code. It knows no network and no loss.

mod changes;
mod collection;
mod colour;
mod digest;
mod each_image;
mod error;
mod folder;
mod gallery;
mod hold_out;
mod inspect;
mod list;
mod natural;
mod splits;
mod variants;
pub(crate) mod vary;

pub(crate) use changes::{AlignedPair, Uploads};
pub use changes::{CellTruth, ChangePair, NotAligned, Shift, Truth};
pub use collection::{Collection, Identity, Image};
pub(crate) use digest::text as digest_text;
pub use digest::{digest_of, digest_of_file};
pub(crate) use error::listed;
pub use error::{DataError, Unreadable};
pub use gallery::{Gallery, Sample};
pub use hold_out::{Fold, HoldOut, InvalidFold};
pub use inspect::inspect;
pub use list::{BadLine, ChangedArea, Corners, ListError, ListedPair, Listing};
pub use variants::Variant;
pub use vary::{Augmentation, Symmetry};
