//! How the first linear layer is made, as it is chosen.

use serde::{Deserialize, Serialize};

/// How the linear layer is made before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// How many varied copies of each image are looked at, beside the image.
    pub variations: usize,
    /// What is added to the variance within identities, as a share of its mean over the
    /// directions: the larger, the less is believed of directions in which little varied.
    pub shrinkage: f64,
}
