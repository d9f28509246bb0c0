//! Learning where images have changed: the tiles of pairs, and how they are drawn and measured.

mod error;
mod measure;
mod tiles;

pub use error::TilesError;
pub(super) use measure::{first_maps, scores};
pub(super) use tiles::DrawnTiles;
pub use tiles::Tiles;
