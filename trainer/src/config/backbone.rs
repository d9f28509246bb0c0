//! The configuration of a backbone.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::backbone::Pooling;

/// A pretrained network, and the numbers that it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// The name of a known network, or the absolute path of an ONNX file.
    pub name: String,
    /// The digest of its ONNX file, or of the weights of a known network.
    pub digest: String,
    /// How its maps become features; absent if it gives a row of features itself. Old records lack it and used the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// The factor for a byte; see [`Preprocessing`](siamese_core::preprocessing::Preprocessing).
    pub scale: f32,
    /// The number subtracted next.
    pub mean: Vec<f32>,
    /// The divisor applied last.
    pub std: Vec<f32>,
}

/// A size of the input and a pooling, and the EER that was measured with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredInput {
    /// The height in pixels.
    pub height: u32,
    /// The width in pixels.
    pub width: u32,
    /// How maps become features; absent if the backbone gives a row of features itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// The mean of the equal error rates over folds within the training identities, in [0, 1].
    pub eer: f64,
}

impl Display for MeasuredInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { height, width, pooling, eer } = self;
        write!(f, "{height}x{width}")?;
        if let Some(pooling) = pooling {
            write!(f, " {pooling}")?;
        }
        write!(f, " (EER {:.2} %)", 100.0 * eer)
    }
}
