//! The multi-similarity loss of Wang, Han, Huang, Dong and Scott (2019).

use burn::tensor::{Tensor, TensorData};

/// How sharply distant same pairs are pulled (the paper's α).
const PULL: f64 = 2.0;
/// How sharply near different pairs are pushed (the paper's β).
const PUSH: f64 = 50.0;
/// The cosine around which both turn (the paper's λ).
const MIDDLE: f64 = 0.5;
/// A pair teaches if it comes within this of the hardest of the other kind (the paper's ε).
const REACH: f32 = 0.1;

/// The mean over the images of ln(1 + Σ exp(−α(s − λ))) / α over its same pairs and
/// ln(1 + Σ exp(β(s − λ))) / β over its different ones, s being cosines; only pairs that are harder
/// than the hardest of the other kind, or nearly, are summed.
///
/// # Shapes
///
/// - `embeddings`: `[n, width]`, of unit length, with `identities` the identity of each
/// - out: `[1]`
#[expect(clippy::missing_panics_doc, reason = "networks are in single precision")]
pub fn multi_similarity(embeddings: &Tensor<2>, identities: &[usize]) -> Tensor<1> {
    let cosines = embeddings.clone().matmul(embeddings.clone().transpose());
    let values = cosines.clone().detach().into_data().try_to_vec::<f32>();
    let [same, different] = mine(&values.expect("networks are in single precision"), identities);
    let n_images = identities.len();
    let device = embeddings.device();
    let mask =
        |values| Tensor::<2>::from_data(TensorData::new(values, [n_images, n_images]), &device);
    let pull = cosines.clone().sub_scalar(MIDDLE).mul_scalar(-PULL).exp() * mask(same);
    let push = cosines.sub_scalar(MIDDLE).mul_scalar(PUSH).exp() * mask(different);
    let pull = pull.sum_dim(1).log1p().div_scalar(PULL);
    let push = push.sum_dim(1).log1p().div_scalar(PUSH);
    (pull + push).mean()
}

/// Which pairs teach, 1 or 0 for each: the same ones, and the different ones.
fn mine(cosines: &[f32], identities: &[usize]) -> [Vec<f32>; 2] {
    let n_images = identities.len();
    let mut chosen = [vec![0.0; cosines.len()], vec![0.0; cosines.len()]];
    for (at, row) in cosines.chunks_exact(n_images).enumerate() {
        let is_same = |other: usize| identities[other] == identities[at];
        let of = |wanted: bool| {
            (0..n_images).filter(move |it| *it != at && is_same(*it) == wanted).map(|it| row[it])
        };
        let farthest_same = of(true).fold(f32::INFINITY, f32::min);
        let nearest_different = of(false).fold(f32::NEG_INFINITY, f32::max);
        for other in (0..n_images).filter(|it| *it != at) {
            let place = at * n_images + other;
            if is_same(other) && row[other] - REACH < nearest_different {
                chosen[0][place] = 1.0;
            }
            if !is_same(other) && farthest_same < row[other] + REACH {
                chosen[1][place] = 1.0;
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn on_the_circle(degrees: &[f32]) -> Tensor<2> {
        let points: Vec<f32> =
            degrees.iter().flat_map(|it| [it.to_radians().cos(), it.to_radians().sin()]).collect();
        Tensor::from_data(TensorData::new(points, [degrees.len(), 2]), &Device::flex())
    }

    #[test]
    fn two_of_one_and_one_of_another_cost_what_they_do_by_hand() {
        // Cosines: 0 and 1 are the same at 0.5; 2 is another, at 0.5 from 1 and at −0.5 from 0.
        let loss: f32 =
            multi_similarity(&on_the_circle(&[0.0, 60.0, 120.0]), &[1, 1, 2]).into_scalar();
        let half = 2.0_f32.ln();
        // Image 0: the same at 0.5, no different one near it, which leaves neither to teach.
        // Image 1: ln 2 / 2 of its same, ln 2 / 50 of its different one.
        // Image 2 has no same pair: its different ones are all farther than none.
        let expected = (half / 2.0 + half / 50.0) / 3.0;
        assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    }

    #[test]
    fn pairs_that_are_told_apart_cost_nothing() {
        let embeddings = on_the_circle(&[0.0, 1.0, 180.0, 181.0]);
        let loss: f32 = multi_similarity(&embeddings, &[1, 1, 2, 2]).into_scalar();
        assert!(loss.abs() < 1e-6, "{loss}");
    }
}
