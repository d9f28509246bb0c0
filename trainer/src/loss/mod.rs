//! What training minimises: embeddings and their identities in, one number out.
//!
//! Knows no network and no picture.

mod classifier;
mod contrastive;
mod multi_similarity;
mod pairs;
mod triplet;

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub use classifier::Classifier;
pub use contrastive::{contrastive, floor};
pub use multi_similarity::multi_similarity;
pub use pairs::{Pairs, Triplets};
pub use triplet::triplet;

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

/// The L2 distances between the rows `left` and the rows `right` of `embeddings`.
///
/// # Shapes
///
/// - `embeddings`: `[n, width]`
/// - out: `[pairs, 1]`
fn distances(embeddings: &Tensor<2>, left: &[usize], right: &[usize]) -> Tensor<2> {
    let difference = rows(embeddings, left) - rows(embeddings, right);
    // The epsilon keeps the root's gradient finite when two embeddings coincide.
    difference.square().sum_dim(1).add_scalar(1e-12).sqrt()
}

fn rows(embeddings: &Tensor<2>, indices: &[usize]) -> Tensor<2> {
    embeddings.clone().select(0, index(indices, &embeddings.device()))
}

fn index(indices: &[usize], device: &burn::tensor::Device) -> Tensor<1, Int> {
    let indices: Vec<i64> = indices
        .iter()
        .map(|it| i64::try_from(*it).expect("a batch has fewer than 2^63 pictures"))
        .collect();
    let n_indices = indices.len();
    Tensor::from_data(TensorData::new(indices, [n_indices]), device)
}
