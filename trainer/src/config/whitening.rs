//! The configuration of the whitened linear layer.

use serde::{Deserialize, Serialize};

/// How the linear layer is computed before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// The number of augmented copies of each image that are used in addition to the image.
    pub variations: usize,
    /// The amount added to the variance within identities, as a share of its mean over all directions. A larger value
    /// gives less weight to directions with a small measured variance.
    pub shrinkage: f64,
}
