//! The multi-similarity loss of Wang, Han, Huang, Dong and Scott (2019).

use burn::tensor::{Tensor, TensorData};

/// The weight of distant same pairs (α in the paper).
const PULL: f64 = 2.0;
/// The weight of near different pairs (β in the paper).
const PUSH: f64 = 50.0;
/// The central cosine (λ in the paper).
const MIDDLE: f64 = 0.5;
/// The tolerance of the selection of hard pairs (ε in the paper).
const TOLERANCE: f32 = 0.1;

/// Computes the mean over the images of ln(1 + Σ exp(−α(s − λ))) / α over its same pairs, plus
/// ln(1 + Σ exp(β(s − λ))) / β over its different pairs, where s are cosines.
///
/// The sums contain only hard pairs: those that are harder than the hardest pair of the other kind, within a tolerance.
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

/// Returns masks of the hard same pairs and the hard different pairs: 1 or 0 for each pair.
fn mine(cosines: &[f32], identities: &[usize]) -> [Vec<f32>; 2] {
    let n_images = identities.len();
    let mut chosen = [vec![0.0; cosines.len()], vec![0.0; cosines.len()]];
    for (image, row) in cosines.chunks_exact(n_images).enumerate() {
        let is_same = |other: usize| identities[other] == identities[image];
        let of = |wanted: bool| {
            let others = (0..n_images).filter(move |other| *other != image);
            others.filter(move |other| is_same(*other) == wanted).map(|other| row[other])
        };
        let farthest_same = of(true).fold(f32::INFINITY, f32::min);
        let nearest_different = of(false).fold(f32::NEG_INFINITY, f32::max);
        for other in (0..n_images).filter(|other| *other != image) {
            let index = image * n_images + other;
            if is_same(other) && row[other] - TOLERANCE < nearest_different {
                chosen[0][index] = 1.0;
            }
            if !is_same(other) && farthest_same < row[other] + TOLERANCE {
                chosen[1][index] = 1.0;
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
        let points: Vec<f32> = degrees
            .iter()
            .flat_map(|angle| [angle.to_radians().cos(), angle.to_radians().sin()])
            .collect();
        Tensor::from_data(TensorData::new(points, [degrees.len(), 2]), &Device::flex())
    }

    #[test]
    fn the_loss_of_three_images_matches_a_calculation_by_hand() {
        // Cosines: images 0 and 1 are a same pair at 0.5; image 2 differs, at 0.5 from 1 and at −0.5 from 0.
        let loss: f32 =
            multi_similarity(&on_the_circle(&[0.0, 60.0, 120.0]), &[1, 1, 2]).into_scalar();
        let half = 2.0_f32.ln();
        // Image 0: its same pair has 0.5 and no different pair is near, so no pair is hard.
        // Image 1: ln 2 / 2 for its same pair, ln 2 / 50 for its different pair.
        // Image 2 has no same pair, so no different pair is hard.
        let expected = (half / 2.0 + half / 50.0) / 3.0;
        assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    }

    #[test]
    fn well_separated_pairs_cost_nothing() {
        let embeddings = on_the_circle(&[0.0, 1.0, 180.0, 181.0]);
        let loss: f32 = multi_similarity(&embeddings, &[1, 1, 2, 2]).into_scalar();
        assert!(loss.abs() < 1e-6, "{loss}");
    }
}
