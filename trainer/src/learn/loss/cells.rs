//! The loss of cells.

use burn::tensor::activation::softplus;
use burn::tensor::{Tensor, TensorData};

use crate::data::CellTruth;
use crate::data::vary::grid::single;

/// How steeply the loss rises around the margin.
const SLOPE: f64 = 6.0;
/// The weight of the mean loss of changed cells.
const MISSED: f32 = 0.5;
/// The losses of unchanged cells are divided by this multiple of the number of changed cells, and by [`FEWEST`] more.
const FALSE: usize = 3;
const FEWEST: usize = 200;

/// Computes the loss of the cells of pairs: a changed cell should be farther than the margin from the other image, and an
/// unchanged one closer. `truth` is that of each cell.
///
/// There are far more unchanged cells. Most of them are easy, so their losses are summed, and the sum is divided by a number
/// that grows with the changed cells.
///
/// # Shapes
///
/// - `embeddings`: `[2 * cells, width]`: those of all first images, and then those of the second ones in the same order
/// - out: `[1]`
pub fn cells(embeddings: &Tensor<2>, truth: &[CellTruth], margin: f64) -> Tensor<1> {
    let device = embeddings.device();
    let [before, after] =
        [0, truth.len()].map(|start| embeddings.clone().narrow(0, start, truth.len()));
    // The addend keeps the root's gradient finite where two embeddings coincide.
    let distance = (before - after).square().sum_dim(1).add_scalar(1e-6).sqrt();
    let excess = distance.sub_scalar(margin).mul_scalar(SLOPE);
    let n_changed = truth.iter().filter(|cell| **cell == CellTruth::Changed).count();
    let column = |wanted: CellTruth, weight: f32| {
        let weights = truth.iter().map(|cell| if *cell == wanted { weight } else { 0.0 });
        let weights = TensorData::new(weights.collect::<Vec<_>>(), [truth.len(), 1]);
        Tensor::<2>::from_data(weights, &device)
    };
    let missed = column(CellTruth::Changed, MISSED / single(n_changed.max(1)));
    let alarms = column(CellTruth::Unchanged, 1.0 / single(FALSE * n_changed + FEWEST));
    (missed * softplus(excess.clone().neg(), 1.0) + alarms * softplus(excess, 1.0)).sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::CellTruth::{Changed, Unchanged, Unknown};
    use super::*;

    fn loss(distances: [f32; 3], truth: [CellTruth; 3]) -> f32 {
        let rows = [[0.0; 3], distances].concat();
        let embeddings = Tensor::from_data(TensorData::new(rows, [6, 1]), &Device::flex());
        cells(&embeddings, &truth, 1.0).into_scalar()
    }

    #[test]
    fn changed_cells_cost_below_the_margin_and_unchanged_ones_above() {
        let of = |excess: f32| (1.0 + (6.0 * excess).exp()).ln();
        let expected = 0.5 * of(0.5) + of(0.25) / 203.0;
        let found = loss([0.5, 1.25, 9.0], [Changed, Unchanged, Unknown]);
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
        assert!(loss([3.0, 0.0, 9.0], [Changed, Unchanged, Unknown]) < 1e-3);
        let expected = of(0.5) / 200.0;
        let found = loss([1.5, 0.0, 9.0], [Unchanged, Unknown, Unknown]);
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn equal_images_have_a_finite_gradient() {
        let device = Device::flex().autodiff();
        let embeddings = Tensor::<2>::zeros([2, 4], &device).require_grad();
        let gradients = cells(&embeddings, &[Changed], 1.0).backward();
        let gradient = embeddings.grad(&gradients).expect("the leaf has a gradient");
        let values = gradient.into_data().try_to_vec::<f32>().expect("single precision");
        assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
    }
}
