//! The triplet loss of Schroff, Kalenichenko and Philbin (2015).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::{Triplets, distances};

/// Computes the mean of max(d(anchor, positive) − d(anchor, negative) + margin, 0) over the triplets with a positive loss.
///
/// Late in training nearly all triplets have a loss of 0, and would dilute the others.
///
/// # Shapes
///
/// - `embeddings`: `[n, width]`
/// - out: `[1]`
pub fn triplet(embeddings: &Tensor<2>, triplets: &Triplets, margin: f64) -> Tensor<1> {
    let near = distances(embeddings, &triplets.anchor, &triplets.same);
    let far = distances(embeddings, &triplets.anchor, &triplets.different);
    let cost = relu((near - far).add_scalar(margin));
    let n_active = cost.clone().detach().greater_scalar(0.0).float().sum().clamp_min(1.0);
    cost.sum() / n_active
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[track_caller]
    fn check(on_a_line: &[f32], expected: f32) {
        let n_rows = on_a_line.len();
        let embeddings =
            Tensor::from_data(TensorData::new(on_a_line.to_vec(), [n_rows, 1]), &Device::flex());
        let loss: f32 = triplet(&embeddings, &Triplets::neighbours(n_rows), 1.0).into_scalar();
        assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    }

    #[test]
    fn a_triplet_costs_its_difference_to_the_margin() {
        check(&[0.0, 1.0, 1.5], 0.5);
        check(&[0.0, 1.0, 0.5], 1.5);
        check(&[0.0, 1.0, 2.5], 0.0);
    }

    #[test]
    fn triplets_without_a_loss_do_not_count() {
        check(&[0.0, 1.0, 1.5, 0.0, 1.0, 9.0], 0.5);
    }
}
