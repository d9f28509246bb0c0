//! The contrastive loss of Hadsell, Chopra and `LeCun` (2006).

use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};

use super::{Pairs, distances};
use crate::data::vary::grid::single;

/// Computes the weighted mean of (1 − y)·d² + y·max(m − d, 0)², where y = 1 for a different pair.
///
/// Same pairs and different pairs each have half of the weight, because few of all pairs in a batch are same pairs. If
/// half of the pairs are different, this is the plain mean.
///
/// # Shapes
///
/// - `embeddings`: `[n, width]`
/// - out: `[1]`
pub fn contrastive(embeddings: &Tensor<2>, pairs: &Pairs, margin: f64) -> Tensor<1> {
    let device = embeddings.device();
    let n_pairs = pairs.len();
    let n_different = pairs.different.iter().filter(|different| **different).count();
    let share = |count: usize| if count == n_pairs { 1.0 } else { 0.5 };
    let column = |wanted: bool, count: usize| {
        let weight = share(count) / single(count.max(1));
        let weights = pairs.different.iter();
        let weights = weights.map(|different| if *different == wanted { weight } else { 0.0 });
        let values: Vec<f32> = weights.collect();
        Tensor::<2>::from_data(TensorData::new(values, [n_pairs, 1]), &device)
    };
    let distance = distances(embeddings, &pairs.left, &pairs.right);
    let pull = column(false, n_pairs - n_different) * distance.clone().square();
    let push = column(true, n_different) * relu(distance.neg().add_scalar(margin)).square();
    (pull + push).sum()
}

/// Returns the loss if every distance is m/2. This is the best loss of a constant distance, so a network that has learned
/// nothing ends here.
pub fn floor(margin: f64) -> f64 {
    margin * margin / 4.0
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[track_caller]
    fn check(embeddings: &[[f32; 2]], identities: &[usize], margin: f64, expected: f32) {
        let embeddings = Tensor::from_data(
            TensorData::new(embeddings.concat(), [embeddings.len(), 2]),
            &Device::flex(),
        );
        let loss: f32 =
            contrastive(&embeddings, &Pairs::neighbours(identities), margin).into_scalar();
        assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    }

    #[test]
    fn a_same_pair_costs_its_squared_distance() {
        check(&[[0.0, 0.0], [3.0, 4.0]], &[1, 1], 2.0, 25.0);
    }

    #[test]
    fn a_different_pair_costs_its_squared_difference_to_the_margin() {
        check(&[[0.0, 0.0], [0.0, 0.5]], &[1, 2], 2.0, 2.25);
        check(&[[0.0, 0.0], [0.0, 2.0]], &[1, 2], 2.0, 0.0);
        check(&[[0.0, 0.0], [3.0, 4.0]], &[1, 2], 2.0, 0.0);
    }

    #[test]
    fn with_half_of_each_kind_the_loss_is_the_plain_mean() {
        let embeddings = [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.5]];
        check(&embeddings, &[1, 1, 1, 2], 2.0, 1.625);
    }

    #[test]
    fn every_distance_at_half_the_margin_costs_the_floor() {
        let embeddings = [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]];
        #[expect(clippy::cast_possible_truncation, reason = "1.0 is exact")]
        check(&embeddings, &[1, 1, 1, 2], 2.0, floor(2.0) as f32);
    }

    #[test]
    fn the_gradient_pulls_same_pairs_and_pushes_different_pairs() {
        let device = Device::flex().autodiff();
        let embeddings = Tensor::<2>::from_data([[0.0, 0.0], [0.6, 0.8]], &device).require_grad();
        for (identities, expected) in [([1, 1], [-1.2, -1.6]), ([1, 2], [1.2, 1.6])] {
            let loss = contrastive(&embeddings, &Pairs::neighbours(&identities), 2.0);
            let gradients = loss.backward();
            let gradient = embeddings.grad(&gradients).expect("the leaf has a gradient");
            let values = gradient.into_data().try_to_vec::<f32>().expect("single precision");
            // d = 1: the pull's derivative is 2d, the push's −2(m − d), both along the difference.
            for (value, expected) in values.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-4, "{values:?} is not {expected:?}");
            }
        }
    }
}
