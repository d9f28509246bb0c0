//! The recipes: the configuration of each network's best run.

use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use crate::backbone::Backbone;

use super::{
    BackboneConfig, Config, Input, Length, LossConfig, LossKind, Optimizer, Sampling, Schedule,
    Watch, Whitening,
};
use crate::data::{Augmentation, Symmetry};
use crate::network::{CellsConfig, CompactConfig, HeadConfig, NetworkConfig, WaveletConfig};

impl Config {
    /// The recipe of the baseline: independently drawn pairs, contrastive loss with margin 2, Adam 5e-4, 64 pairs per
    /// step, 100 epochs.
    pub fn baseline() -> Self {
        Self {
            seed: 1,
            length: Length::Epochs(100),
            input: Input { height: 100, width: 100, colour: Colour::Grey, fit: Fit::Stretch },
            backbone: None,
            network: NetworkConfig::Baseline,
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

    /// The default recipe: the compact network, all pairs of identity-balanced batches, contrastive loss and a classifier.
    pub fn compact() -> Self {
        Self {
            seed: 1,
            length: Length::Steps(500),
            input: Input { height: 64, width: 64, colour: Colour::Grey, fit: Fit::Stretch },
            backbone: None,
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
            sampling: Sampling::Balanced { identities: 20, images: 4 },
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

    /// The recipe for few identities: fixed wavelets and a whitened linear layer, computed in seconds without a step.
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

    /// The recipe for a backbone: a head that starts in closed form and is trained on cached
    /// features, in seconds.
    pub fn on_backbone(backbone: &Backbone) -> Self {
        let pooling = backbone.poolings().first().copied();
        let (preprocessing, features) = (backbone.preprocessing(), backbone.features(pooling));
        let Preprocessing { height, width, colour, fit, scale, ref mean, ref std } = *preprocessing;
        let compact = Self::compact();
        Self {
            length: Length::Steps(400),
            input: Input { height, width, colour, fit },
            backbone: Some(BackboneConfig {
                name: backbone.name().to_owned(),
                digest: backbone.digest().to_owned(),
                pooling,
                scale,
                mean: mean.clone(),
                std: std.clone(),
            }),
            network: NetworkConfig::Head(HeadConfig {
                features,
                components: features.min(256),
                width: features.min(128),
                mixing: [0.6, 1.2],
                noise: 0.5,
                dropout: 0.4,
            }),
            whitening: Some(Whitening { variations: 0, shrinkage: 0.4 }),
            loss: LossConfig { kind: LossKind::MultiSimilarity, ..compact.loss },
            sampling: Sampling::Balanced { identities: 24, images: 4 },
            augmentation: Augmentation::default(),
            ..compact
        }
    }

    /// The recipe for the cells of pairs: a head on the maps of a backbone, which are cached.
    /// The widths of the maps are the numbers of channels of the fine one and of the coarse one.
    pub fn cells(backbone: &Backbone, [fine, coarse]: [usize; 2]) -> Self {
        let on_backbone = Self::on_backbone(backbone);
        Self {
            length: Length::Steps(2000),
            network: NetworkConfig::Cells(CellsConfig { fine, coarse, width: 32 }),
            whitening: None,
            loss: LossConfig { kind: LossKind::Cells, margin: 1.0, ..Self::baseline().loss },
            sampling: Sampling::Drawn { draws: 12 },
            optimizer: Optimizer {
                rate: 3e-3,
                schedule: Schedule::OneCycle,
                ..Self::baseline().optimizer
            },
            watch: Watch { evaluate_every: 250, checkpoint_every: 250, patience: None },
            ..on_backbone
        }
    }
}
