//! Every choice of a training run, as it is saved beside the weights before the first step.

mod check;
mod compute;
mod loss;
mod provenance;
mod recipes;
mod sampling;
mod schedule;
mod whitening;

use serde::{Deserialize, Serialize};
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use crate::data::{Augmentation, Symmetry};
use crate::network::NetworkConfig;
pub use compute::{BuiltWithout, Compute, Unusable};
pub use loss::{LossConfig, LossKind};
pub use provenance::{Built, Data, Record, build, now};
pub use sampling::Sampling;
pub use schedule::Schedule;
pub use whitening::Whitening;

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What all chance is drawn from: the same seed on the same machine gives the same model.
    pub seed: u64,
    /// How long.
    pub length: Length,
    /// What the network reads.
    pub input: Input,
    /// The network.
    pub network: NetworkConfig,
    /// How the last layer is made before the first step; none: it is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening: Option<Whitening>,
    /// What is minimised.
    pub loss: LossConfig,
    /// What else each identity is trained on as.
    #[serde(default)]
    pub symmetry: Symmetry,
    /// What a step sees.
    pub sampling: Sampling,
    /// How images are varied.
    pub augmentation: Augmentation,
    /// How a gradient moves the weights.
    pub optimizer: Optimizer,
    /// Measuring and saving on the way.
    pub watch: Watch,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// So many steps.
    Steps(u32),
    /// So many times as many draws as there are training images.
    Epochs(u32),
}

/// What the network reads: see [`Preprocessing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Channels.
    pub colour: Colour,
    /// How an image of other proportions is fitted.
    pub fit: Fit,
}

/// Adam, with its weight decay decoupled (Loshchilov and Hutter 2019) where there is any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The largest learning rate.
    pub rate: f64,
    /// How the rate runs over the steps.
    pub schedule: Schedule,
    /// How far weights shrink in a step, as a share of the rate.
    pub weight_decay: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
}

/// Measuring and saving on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// People held out are measured every so many steps.
    pub evaluate_every: u32,
    /// The run is saved every so many steps, and at the end of every epoch.
    pub checkpoint_every: u32,
    /// The run ends after so many measurements without a lower EER, and keeps the best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
}

impl Config {
    /// Takes another loss, with a margin that suits it.
    pub fn choose_loss(&mut self, kind: LossKind) {
        if kind != self.loss.kind && kind == LossKind::Triplet {
            self.loss.margin = if self.network.unit() { 0.3 } else { 1.0 };
        }
        self.loss.kind = kind;
    }

    /// Suits a recipe to a list, which names no identities: without the classifier over them, and with
    /// images as whole and as they lie, for what is erased of one or turned round is a change.
    pub fn suit_to_list(&mut self, has_triplets: bool) {
        if has_triplets {
            self.choose_loss(LossKind::Triplet);
        }
        self.loss.classifier_weight = 0.0;
        self.augmentation.mirror = 0.0;
        self.augmentation.erase = 0.0;
    }

    /// What is done to an image before the network sees it.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            height: self.input.height,
            width: self.input.width,
            colour: self.input.colour,
            fit: self.input.fit,
            scale: 1.0 / 255.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    /// How many steps the run has on so many images.
    pub fn steps(&self, n_images: usize) -> u32 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => self.epoch(n_images).saturating_mul(epochs),
        }
    }

    /// How many steps have as many draws as there are images; at least 1.
    pub fn epoch(&self, n_images: usize) -> u32 {
        let steps = n_images.div_ceil(self.sampling.draws());
        u32::try_from(steps).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_back_as_it_was_written() {
        for config in [Config::baseline(), Config::compact(), Config::wavelet()] {
            let text = toml::to_string(&config).expect("TOML");
            assert_eq!(toml::from_str::<Config>(&text).expect("a configuration"), config);
        }
    }

    #[test]
    fn a_choice_that_is_not_known_is_refused_by_its_name() {
        let text = toml::to_string(&Config::baseline()).expect("TOML");
        let misspelt = text.replace("margin = 2.0", "margni = 2.0");
        let refusal = toml::from_str::<Config>(&misspelt).expect_err("no configuration");
        assert!(refusal.to_string().contains("margni"), "{refusal}");
    }

    #[test]
    fn an_epoch_is_as_many_draws_as_there_are_images() {
        let baseline = Config::baseline();
        assert_eq!(baseline.steps(370), 600);
        assert_eq!(baseline.steps(64), 100);
        assert_eq!(Config::compact().steps(370), 500);
    }

    #[test]
    fn another_loss_has_a_margin_that_suits_it() {
        let mut config = Config::compact();
        config.choose_loss(LossKind::Contrastive);
        assert!((config.loss.margin - 1.2).abs() < 1e-9);
        config.choose_loss(LossKind::Triplet);
        assert!((config.loss.margin - 0.3).abs() < 1e-9);
    }
}
