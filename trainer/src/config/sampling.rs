//! What a step sees, as it is chosen.

use serde::{Deserialize, Serialize};

/// How a batch is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Sampling {
    /// Single pairs, half of them the same (contrastive), triplets, or images (softmax), each
    /// drawn by itself.
    Drawn {
        /// How many pairs, triplets or images.
        draws: usize,
    },
    /// Some identities and some images of each, of which all pairs or triplets are compared.
    Balanced {
        /// How many identities; all of them where there are fewer.
        identities: usize,
        /// How many images of each; with repetition where there are fewer.
        images: usize,
    },
}

impl Sampling {
    /// How many draws a step has, by which an epoch is counted.
    pub fn draws(self) -> usize {
        match self {
            Self::Drawn { draws } => draws.max(1),
            Self::Balanced { identities, images } => (identities * images).max(1),
        }
    }
}
