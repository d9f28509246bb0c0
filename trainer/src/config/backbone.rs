//! The configuration of a backbone.

use serde::{Deserialize, Serialize};

/// A pretrained network, and the numbers that it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// The name of a known network, or the path of an ONNX file.
    pub name: String,
    /// The digest of its ONNX file.
    pub digest: String,
    /// The factor for a byte; see [`Preprocessing`](siamese_core::preprocessing::Preprocessing).
    pub scale: f32,
    /// The number subtracted next.
    pub mean: Vec<f32>,
    /// The divisor applied last.
    pub std: Vec<f32>,
}
