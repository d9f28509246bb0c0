//! A classifier over the training identities.

use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::config::LossConfig;
use crate::network::{uniform, unit_rows};

/// A classifier with one row of weights for each training identity.
///
/// For unit embeddings it is the cosine softmax with an additive margin (Wang et al. 2018, `CosFace`). Otherwise it is a
/// linear layer without a bias.
#[derive(Module, Debug)]
pub struct Classifier {
    /// `[identities, width]`
    pub rows: Param<Tensor<2>>,
    #[module(skip)]
    unit: bool,
}

impl Classifier {
    /// Makes a classifier with random weights.
    pub fn new(
        n_identities: usize,
        width: usize,
        unit: bool,
        random: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an embedding is narrower than 2^24")]
        let bound = 1.0 / (width as f32).sqrt();
        Self { rows: uniform([n_identities, width], bound, random, device), unit }
    }

    /// Computes the mean cross entropy of the correct identities.
    ///
    /// # Shapes
    ///
    /// - `embeddings`: `[n, width]`, with `identities` the identity of each
    /// - out: `[1]`
    pub fn loss(
        &self,
        embeddings: &Tensor<2>,
        identities: &[usize],
        config: &LossConfig,
    ) -> Tensor<1> {
        let device = embeddings.device();
        let [n_identities, _] = self.rows.dims();
        let one_hot = one_hot(identities, n_identities, &device);
        let logits = if self.unit {
            let cosines = embeddings.clone().matmul(unit_rows(self.rows.val()).transpose());
            (cosines - one_hot.clone().mul_scalar(config.classifier_margin))
                .mul_scalar(config.classifier_scale)
        } else {
            embeddings.clone().matmul(self.rows.val().transpose())
        };
        (log_softmax(logits, 1) * one_hot).sum_dim(1).mean().neg()
    }
}

/// # Shapes
///
/// - out: `[identities.len(), n_identities]`
fn one_hot(identities: &[usize], n_identities: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = identities
        .iter()
        .flat_map(|right| {
            (0..n_identities).map(move |identity| if identity == *right { 1.0 } else { 0.0 })
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [identities.len(), n_identities]), device)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::config::LossKind;

    #[test]
    fn the_cross_entropy_of_two_identities_matches_a_calculation_by_hand() {
        let device = Device::flex();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let config = LossConfig {
            kind: LossKind::Softmax,
            margin: 1.0,
            classifier_weight: 0.0,
            classifier_scale: 2.0,
            classifier_margin: 0.5,
        };
        let mut classifier = Classifier::new(2, 2, true, &mut random, &device);
        classifier.rows = Param::from_data([[3.0, 0.0], [0.0, 0.5]], &device);
        let embeddings = Tensor::<2>::from_data([[1.0, 0.0]], &device);
        // The cosines are 1 and 0. The margin of 0.5 is subtracted from the first, and both are doubled: logits 1 and 0.
        let loss: f32 = classifier.loss(&embeddings, &[0], &config).into_scalar();
        assert!((loss - (1.0 + (-1.0_f32).exp()).ln()).abs() < 1e-5, "{loss}");
    }
}
