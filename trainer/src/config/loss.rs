//! The configuration of the loss.

use serde::{Deserialize, Serialize};

/// The main loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Pulls same pairs together, and pushes different pairs apart up to the margin (Hadsell et al. 2006).
    Contrastive,
    /// Makes the anchor nearer to the positive than to the negative, by the margin (Schroff et al. 2015).
    Triplet,
    /// Trains a classifier over the training identities; its last layer is removed afterwards.
    Softmax,
    /// Weights all pairs of a batch by their cosines; hard pairs count most (Wang et al. 2019).
    MultiSimilarity,
    /// Pushes changed cells apart beyond the margin, and pulls unchanged ones below it.
    #[value(skip)]
    Cells,
}

/// The loss and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// The main loss.
    pub kind: LossKind,
    /// The distance up to which different pairs are pushed apart (contrastive), how much farther the negative must be than
    /// the positive (triplet), or the distance between unchanged and changed cells (cells).
    pub margin: f64,
    /// The weight of an additional classifier over the training identities; 0 for none. It is ignored if the main loss is
    /// softmax.
    pub classifier_weight: f64,
    /// The factor of the cosines before the classifier's softmax (unit embeddings only).
    pub classifier_scale: f64,
    /// The amount subtracted from the cosine of the correct identity in training (unit embeddings only).
    pub classifier_margin: f64,
}

impl LossConfig {
    /// Returns whether a classifier is trained together with the network.
    pub fn needs_classifier(&self) -> bool {
        self.kind == LossKind::Softmax || 0.0 < self.classifier_weight
    }
}
