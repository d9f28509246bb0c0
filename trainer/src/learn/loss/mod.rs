//! The losses: functions of embeddings and their identities, or of cells and what is known of them.
//!
//! This module knows no networks and no images.

mod cells;
mod classifier;
mod contrastive;
mod multi_similarity;
mod pairs;
mod triplet;

use burn::tensor::{Int, Tensor, TensorData};

pub use cells::cells;
pub use classifier::Classifier;
pub use contrastive::{contrastive, floor};
pub use multi_similarity::multi_similarity;
pub use pairs::{Pairs, Triplets};
pub use triplet::triplet;

/// Computes the L2 distances between the rows `left` and the rows `right` of `embeddings`.
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
        .map(|index| i64::try_from(*index).expect("a batch has fewer than 2^63 images"))
        .collect();
    let n_indices = indices.len();
    Tensor::from_data(TensorData::new(indices, [n_indices]), device)
}
