//! The configuration of a training run. It is saved beside the weights before the first step.

mod backbone;
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

use crate::backbone::{Backbone, CellBackbone, Pooling};
use crate::data::{Augmentation, Symmetry};
use crate::network::NetworkConfig;
pub use backbone::{BackboneConfig, MeasuredInput};
pub use compute::{BuiltWithoutCuda, Compute, CudaUnavailable};
pub use loss::{LossConfig, LossKind};
pub use provenance::{Built, Data, Record, arguments, build, now};
pub use sampling::Sampling;
pub use schedule::Schedule;
pub use whitening::Whitening;

/// The configuration of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The random seed: the same seed on the same machine gives the same model.
    pub seed: u64,
    /// The length of the run.
    pub length: Length,
    /// The input of the network.
    pub input: Input,
    /// The backbone whose features the network turns into embeddings; without one, the network reads images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneConfig>,
    /// The network.
    pub network: NetworkConfig,
    /// How the last layer is computed before the first step; without it, the layer starts with random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening: Option<Whitening>,
    /// The loss to minimise.
    pub loss: LossConfig,
    /// The transformed identities that are added to the training data.
    #[serde(default)]
    pub symmetry: Symmetry,
    /// How batches are drawn.
    pub sampling: Sampling,
    /// How images are augmented.
    pub augmentation: Augmentation,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// How often the run measures and saves.
    pub watch: Watch,
}

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// A number of steps.
    Steps(u32),
    /// A number of epochs; an epoch draws as many samples as there are training images.
    Epochs(u32),
}

/// The input of the network; see [`Preprocessing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The height in pixels.
    pub height: u32,
    /// The width in pixels.
    pub width: u32,
    /// The channels.
    pub colour: Colour,
    /// How an image with another aspect ratio is fitted.
    pub fit: Fit,
}

/// Adam; with weight decay it is `AdamW` (Loshchilov and Hutter 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The largest learning rate.
    pub rate: f64,
    /// How the learning rate changes over the steps.
    pub schedule: Schedule,
    /// The weight decay per step, relative to the learning rate.
    pub weight_decay: f32,
    /// The term that keeps Adam's division finite.
    pub epsilon: f32,
}

/// How often a run measures and saves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The number of steps between two measurements of the held-out identities.
    pub evaluate_every: u32,
    /// The number of steps between two checkpoints; a checkpoint is also written at the end of each epoch.
    pub checkpoint_every: u32,
    /// The run stops after this number of measurements without a lower EER, and keeps the best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
}

impl Config {
    /// Changes the loss, and sets a suitable margin.
    pub fn choose_loss(&mut self, kind: LossKind) {
        if kind != self.loss.kind && kind == LossKind::Triplet {
            self.loss.margin = if self.network.unit() { 0.3 } else { 1.0 };
        }
        self.loss.kind = kind;
    }

    /// Sets how the maps of a backbone become features, and the sizes of its head.
    pub fn set_pooling(&mut self, pooling: Option<Pooling>, backbone: &Backbone) {
        if let (Some(configured), NetworkConfig::Head(head)) =
            (&mut self.backbone, &mut self.network)
        {
            configured.pooling = pooling;
            head.features = backbone.features(pooling);
            head.components = head.components.min(head.features);
            head.width = head.width.min(head.components);
        }
    }

    /// Adapts the head of a backbone to a number of images: as many components as these can determine. If its training is
    /// open, it is a head in closed form.
    pub fn shrink_head(&mut self, n_images: usize, is_open: bool) {
        if let NetworkConfig::Head(head) = &mut self.network {
            head.components = head.components.min(n_images / 2).max(1);
            head.width = head.width.min(head.components);
            if is_open {
                self.length = Length::Steps(0);
            }
        }
    }

    /// Adapts a recipe to a list.
    ///
    /// A list names no identities, so there is no classifier over them. Each image is augmented separately, so an erased
    /// patch or a mirror image would be a difference that the label does not state; both are off.
    pub fn adapt_to_list(&mut self, has_triplets: bool) {
        if self.learns_cells() {
            return;
        }
        if has_triplets {
            self.choose_loss(LossKind::Triplet);
        }
        self.loss.classifier_weight = 0.0;
        if let NetworkConfig::Head(_) = self.network {
            self.length = Length::Steps(0);
            self.loss.kind = LossKind::Contrastive;
        }
        self.augmentation.mirror = 0.0;
        self.augmentation.erase = 0.0;
    }

    /// Returns whether the network embeds the cells of images, from a list that tells where pairs have changed.
    pub fn learns_cells(&self) -> bool {
        matches!(self.network, NetworkConfig::Cells(_))
    }

    /// Returns the preprocessing of images, for the backbone or else for the network.
    pub fn preprocessing(&self) -> Preprocessing {
        let Input { height, width, colour, fit } = self.input;
        let (scale, mean, std) = match &self.backbone {
            Some(BackboneConfig { scale, mean, std, .. }) => (*scale, mean.clone(), std.clone()),
            None => (1.0 / 255.0, vec![0.0], vec![1.0]),
        };
        Preprocessing { height, width, colour, fit, scale, mean, std }
    }

    /// Returns the shape of the network's input: channels, height and width. The features of a backbone are channels; its
    /// maps have one place for each cell.
    pub fn shape(&self) -> [usize; 3] {
        match &self.network {
            NetworkConfig::Head(head) => [head.features, 1, 1],
            NetworkConfig::Cells(cells) => {
                let [_, height, width] = self.preprocessing().shape();
                let side = CellBackbone::CELL as usize;
                [cells.channels(), height / side, width / side]
            }
            _ => self.preprocessing().shape(),
        }
    }

    /// Returns the number of steps of the run for `n_images` training images.
    pub fn steps(&self, n_images: usize) -> u32 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => self.epoch(n_images).saturating_mul(epochs),
        }
    }

    /// Returns the number of steps in an epoch; at least 1.
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
    fn an_unknown_key_is_rejected_with_its_name() {
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
    fn another_loss_gets_a_suitable_margin() {
        let mut config = Config::compact();
        config.choose_loss(LossKind::Contrastive);
        assert!((config.loss.margin - 1.2).abs() < 1e-9);
        config.choose_loss(LossKind::Triplet);
        assert!((config.loss.margin - 0.3).abs() < 1e-9);
    }
}
