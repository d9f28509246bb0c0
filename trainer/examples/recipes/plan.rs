//! The recipes to compare.

use siamese_trainer::config::{Config, Input, Length, LossKind, Whitening};
use siamese_trainer::network::{CompactConfig, NetworkConfig, WaveletConfig};

/// A recipe with its seeds.
pub(crate) struct Recipe {
    /// The name in the table.
    pub(crate) name: &'static str,
    /// The configurations; of several, the best within the training identities is used.
    pub(crate) configs: Vec<Config>,
    /// The seeds; one for a recipe without random numbers.
    pub(crate) seeds: &'static [u64],
}

const ONE: &[u64] = &[1];
const TWO: &[u64] = &[1, 2];

/// Returns all recipes, in the order of the table.
pub(crate) fn recipes() -> Vec<Recipe> {
    let fixed = |name, config| Recipe { name, configs: vec![config], seeds: ONE };
    let drawn = |name, config| Recipe { name, configs: vec![config], seeds: TWO };
    vec![
        fixed("wavelet", Config::wavelet()),
        Recipe { name: "wavelet, chosen within", configs: grid(), seeds: ONE },
        fixed("wavelet, shrinkage 0.1", whitened(0, 0.1)),
        fixed("wavelet, shrinkage 4", whitened(0, 4.0)),
        drawn("wavelet, 4 variations", whitened(4, 1.0)),
        drawn("wavelet, 4 variations, shrinkage 0.1", whitened(4, 0.1)),
        fixed("wavelet, 56x48", sized(56, 48)),
        fixed("wavelet, 5 scales", waves(|config| config.scales = 5)),
        fixed("wavelet, 5x4 cells", waves(|config| config.cells = [5, 4])),
        fixed("wavelet, 64 coordinates", waves(|config| config.width = 64)),
        drawn("wavelet, then 100 steps", trained_on()),
        drawn("small, contrastive", small(LossKind::Contrastive, 0.0)),
        drawn("small, triplet", small(LossKind::Triplet, 0.0)),
        drawn("small, softmax", small(LossKind::Softmax, 0.0)),
        drawn("small, multi-similarity", small(LossKind::MultiSimilarity, 0.0)),
        drawn("small, contrastive + softmax", small(LossKind::Contrastive, 0.5)),
        drawn("small, triplet + softmax", small(LossKind::Triplet, 0.5)),
        drawn("small, multi-similarity + softmax", small(LossKind::MultiSimilarity, 0.5)),
        drawn("compact", Config::compact()),
    ]
}

fn whitened(variations: usize, shrinkage: f64) -> Config {
    Config { whitening: Some(Whitening { variations, shrinkage }), ..Config::wavelet() }
}

fn sized(height: u32, width: u32) -> Config {
    let mut config = Config::wavelet();
    config.input = Input { height, width, ..config.input };
    config
}

fn waves(change: impl Fn(&mut WaveletConfig)) -> Config {
    let mut wavelet = WaveletConfig::default();
    change(&mut wavelet);
    Config { network: NetworkConfig::Wavelet(wavelet), ..Config::wavelet() }
}

/// Trains the linear layer further, starting from the closed form.
fn trained_on() -> Config {
    let mut config = Config { length: Length::Steps(100), ..Config::wavelet() };
    config.optimizer.rate = 1e-4;
    config
}

/// Returns all combinations of a few input sizes, wavelengths and shrinkages.
fn grid() -> Vec<Config> {
    let mut configs = Vec::new();
    for (height, width) in [(64, 56), (72, 60)] {
        for wavelength in [4.0, 5.0, 6.0] {
            for shrinkage in [0.3, 1.0] {
                let network = WaveletConfig { wavelength, ..WaveletConfig::default() };
                configs.push(Config {
                    network: NetworkConfig::Wavelet(network),
                    whitening: Some(Whitening { variations: 0, shrinkage }),
                    ..sized(height, width)
                });
            }
        }
    }
    configs
}

/// A small convolutional network, to compare losses with an equal budget.
fn small(loss: LossKind, classifier_weight: f64) -> Config {
    let mut config = Config::compact();
    config.input = Input { height: 48, width: 40, ..config.input };
    config.network = NetworkConfig::Compact(CompactConfig {
        stem: 16,
        blocks: vec![16, 32, 64],
        ..CompactConfig::default()
    });
    config.length = Length::Steps(300);
    config.choose_loss(loss);
    config.loss.classifier_weight = classifier_weight;
    config
}
