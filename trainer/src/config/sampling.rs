//! The configuration of batches.

use serde::{Deserialize, Serialize};

/// How a batch is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Sampling {
    /// Independently drawn pairs of which half are same pairs (contrastive), triplets, or images (softmax).
    Drawn {
        /// The number of pairs, triplets or images.
        draws: usize,
    },
    /// Some identities and some images of each; all pairs or triplets of them are compared.
    Balanced {
        /// The number of identities; all of them if there are fewer.
        identities: usize,
        /// The number of images of each identity; images repeat if there are fewer.
        images: usize,
    },
}

impl Sampling {
    /// Returns the number of draws per step; an epoch is counted in draws.
    pub fn draws(self) -> usize {
        match self {
            Self::Drawn { draws } => draws.max(1),
            Self::Balanced { identities, images } => (identities * images).max(1),
        }
    }
}
