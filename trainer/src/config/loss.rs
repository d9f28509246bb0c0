//! What is minimised, as it is chosen.

use serde::{Deserialize, Serialize};

/// The main loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Pulls same pairs together and pushes different ones apart up to the margin
    /// (Hadsell et al. 2006).
    Contrastive,
    /// Wants an anchor nearer to its own than to another, by the margin
    /// (Schroff et al. 2015).
    Triplet,
    /// A classifier over the training identities, cut off before its last layer.
    Softmax,
    /// Pulls and pushes all pairs of a batch by their cosines, the hardest most
    /// (Wang et al. 2019).
    MultiSimilarity,
}

/// The loss with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// The main loss.
    pub kind: LossKind,
    /// How far apart different pairs are pushed (contrastive), or the lead that the same must have
    /// over the different (triplet).
    pub margin: f64,
    /// The weight of a classifier over the training identities beside the main loss; 0 for none.
    /// Where the main loss is softmax it is the loss, and this is ignored.
    pub classifier_weight: f64,
    /// What cosines are multiplied with before the classifier's softmax (unit embeddings only).
    pub classifier_scale: f64,
    /// What is taken off the right identity's cosine in training (unit embeddings only).
    pub classifier_margin: f64,
}

impl LossConfig {
    /// Whether a classifier's weights are trained beside the network's.
    pub fn needs_classifier(&self) -> bool {
        self.kind == LossKind::Softmax || 0.0 < self.classifier_weight
    }
}
