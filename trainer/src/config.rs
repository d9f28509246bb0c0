//! Every choice of a training run, as it is saved beside the weights before the first step.

use serde::{Deserialize, Serialize};
use siamese_core::picture::{Colour, Fit, Preparation};

use crate::augment::Augmentation;
use crate::data::Symmetry;
use crate::learn::{Sampling, Schedule, Whitening};
use crate::loss::{LossConfig, LossKind};
use crate::network::{CompactConfig, NetworkConfig, WaveletConfig};

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What all chance is drawn from: the same seed on the same machine gives the same tower.
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
    /// How pictures are varied.
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
    /// So many times as many draws as there are training pictures.
    Epochs(u32),
}

/// What the network reads: see [`Preparation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Channels.
    pub colour: Colour,
    /// How a picture of other proportions is fitted.
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
    /// The seed's recipe: drawn pairs, contrastive loss with margin 2, Adam 5e-4, 64 pairs a step,
    /// 100 epochs.
    pub fn seed() -> Self {
        Self {
            seed: 1,
            length: Length::Epochs(100),
            input: Input { height: 100, width: 100, colour: Colour::Grey, fit: Fit::Stretch },
            network: NetworkConfig::Seed,
            whitening: None,
            loss: LossConfig {
                kind: LossKind::Contrastive,
                margin: 2.0,
                classifier_weight: 0.0,
                classifier_scale: 1.0,
                classifier_margin: 0.0,
            },
            symmetry: Symmetry::None,
            sampling: Sampling::Drawn { draws: 64 },
            augmentation: Augmentation::default(),
            optimizer: Optimizer {
                rate: 5e-4,
                schedule: Schedule::Constant,
                weight_decay: 0.0,
                epsilon: 1e-8,
            },
            watch: Watch { evaluate_every: 60, checkpoint_every: 60, patience: None },
        }
    }

    /// The default recipe: the compact network on all pairs of identity-balanced batches, with a
    /// classifier beside the contrastive loss.
    pub fn compact() -> Self {
        Self {
            seed: 1,
            length: Length::Steps(500),
            input: Input { height: 64, width: 64, colour: Colour::Grey, fit: Fit::Stretch },
            network: NetworkConfig::Compact(CompactConfig::default()),
            whitening: None,
            loss: LossConfig {
                kind: LossKind::Contrastive,
                margin: 1.2,
                classifier_weight: 0.5,
                classifier_scale: 16.0,
                classifier_margin: 0.2,
            },
            symmetry: Symmetry::None,
            sampling: Sampling::Balanced { identities: 20, pictures: 4 },
            augmentation: Augmentation {
                rotation: 12.0,
                shift: 0.06,
                scale: 0.12,
                stretch: 0.05,
                shear: 0.0,
                elastic: 0.0,
                mirror: 0.5,
                contrast: 0.3,
                gamma: 0.3,
                light: 0.3,
                erase: 0.5,
                erase_side: 0.4,
            },
            optimizer: Optimizer {
                rate: 2e-3,
                schedule: Schedule::OneCycle,
                weight_decay: 1e-2,
                epsilon: 1e-8,
            },
            watch: Watch { evaluate_every: 100, checkpoint_every: 100, patience: None },
        }
    }

    /// Fixed wavelets and a whitened linear layer, without a step: seconds, and for few identities.
    pub fn wavelet() -> Self {
        Self {
            length: Length::Steps(0),
            input: Input { height: 72, width: 60, colour: Colour::Grey, fit: Fit::Stretch },
            network: NetworkConfig::Wavelet(WaveletConfig::default()),
            whitening: Some(Whitening { variations: 0, shrinkage: 1.0 }),
            augmentation: Augmentation {
                rotation: 8.0,
                shift: 0.05,
                scale: 0.1,
                erase: 0.0,
                ..Self::compact().augmentation
            },
            ..Self::compact()
        }
    }

    /// Takes another loss, with a margin that suits it.
    pub fn choose_loss(&mut self, kind: LossKind) {
        if kind != self.loss.kind && kind == LossKind::Triplet {
            self.loss.margin = if self.network.unit() { 0.3 } else { 1.0 };
        }
        self.loss.kind = kind;
    }

    /// Suits a recipe to a list, which names no identities: without the classifier over them, and with
    /// pictures as whole and as they lie, for what is erased of one or turned round is a change.
    pub fn suit_to_list(&mut self, has_triplets: bool) {
        if has_triplets {
            self.choose_loss(LossKind::Triplet);
        }
        self.loss.classifier_weight = 0.0;
        self.augmentation.mirror = 0.0;
        self.augmentation.erase = 0.0;
    }

    /// What is done to a picture before the network sees it.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            height: self.input.height,
            width: self.input.width,
            colour: self.input.colour,
            fit: self.input.fit,
            scale: 1.0 / 255.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    /// How many steps the run has on so many pictures.
    pub fn steps(&self, n_pictures: usize) -> u32 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => self.epoch(n_pictures).saturating_mul(epochs),
        }
    }

    /// How many steps have as many draws as there are pictures; at least 1.
    pub fn epoch(&self, n_pictures: usize) -> u32 {
        let steps = n_pictures.div_ceil(self.sampling.draws());
        u32::try_from(steps).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_back_as_it_was_written() {
        for config in [Config::seed(), Config::compact(), Config::wavelet()] {
            let text = toml::to_string(&config).expect("TOML");
            assert_eq!(toml::from_str::<Config>(&text).expect("a configuration"), config);
        }
    }

    #[test]
    fn a_choice_that_is_not_known_is_refused_by_its_name() {
        let text = toml::to_string(&Config::seed()).expect("TOML");
        let misspelt = text.replace("margin = 2.0", "margni = 2.0");
        let refusal = toml::from_str::<Config>(&misspelt).expect_err("no configuration");
        assert!(refusal.to_string().contains("margni"), "{refusal}");
    }

    #[test]
    fn an_epoch_is_as_many_draws_as_there_are_pictures() {
        let seed = Config::seed();
        assert_eq!(seed.steps(370), 600);
        assert_eq!(seed.steps(64), 100);
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
