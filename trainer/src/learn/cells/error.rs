//! Why pairs can't be trained on.

use thiserror::Error;

use super::tiles::LEAST;
use crate::data::listed;

/// The pairs of a list can't be trained on, or a training can't be measured on them.
#[derive(Debug, Error)]
pub enum TilesError {
    /// Pairs cannot be compared.
    #[error(
        "pairs cannot be compared: {}; correct or remove them, or pass --skip-unreadable",
        listed(.0)
    )]
    NotCompared(Vec<String>),
    /// There are too few pairs.
    #[error("{0} pairs are too few to train on: give at least {LEAST}")]
    TooFew(usize),
    /// No cell has changed.
    #[error(
        "there are {0} pairs here, but no changed cell: each side of a split needs changed cells and unchanged ones; add \
         pairs with boxes or a mask, or choose another split"
    )]
    NothingChanged(usize),
    /// Every cell has changed.
    #[error(
        "there are {0} pairs here, but no unchanged cell: each side of a split needs changed cells and unchanged ones; add \
         unchanged pairs, with an empty value, or choose another split"
    )]
    AllChanged(usize),
}
