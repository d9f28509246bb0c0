//! The options that make the configuration of a run: a recipe or a file, and changes to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use siamese_core::output::note;
use siamese_core::preprocessing::Colour;

use crate::backbone::{Backbone, Pooling};
use crate::cli::inputs::size;
use crate::config::{Config, Input, Length, LossKind, Record};
use crate::data::{Collection, Listing};

/// A recipe or a configuration file, and changes to it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigOptions {
    /// The network, with its recipe
    #[arg(long, value_enum, default_value = "compact")]
    network: Recipe,
    /// Start from a pretrained network, and train a head on its features: `lite0` (EfficientNet-lite0,
    /// `ImageNet`), or an ONNX file. Without --steps, --loss or --rate, the kind of head is chosen by
    /// measurement. With a list that has a column boxes or mask, `lite0` learns where images have changed
    #[arg(long, value_name = "lite0|FILE.onnx", conflicts_with_all = ["network", "config"])]
    backbone: Option<String>,
    /// How the maps of a backbone become features; the default is the usual one of the backbone
    #[arg(long, value_enum)]
    pooling: Option<Pooling>,
    /// Also choose the side of the input and the pooling of a backbone by measurement: it takes several times as long
    #[arg(long, conflicts_with_all = ["network", "config"])]
    choose_input: bool,
    /// A file with the complete configuration; a `run.toml` of an earlier run also gives its held-out
    /// identities
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    config: Option<PathBuf>,
    /// The loss function
    #[arg(long, value_enum)]
    loss: Option<LossKind>,
    /// The distance up to which different pairs are pushed apart (contrastive), or how much farther the
    /// negative must be than the positive (triplet)
    #[arg(long)]
    margin: Option<f64>,
    /// The random seed
    #[arg(long)]
    seed: Option<u64>,
    /// Number of training steps
    #[arg(long)]
    steps: Option<u32>,
    /// Number of epochs; an epoch draws as many samples as there are images
    #[arg(long, conflicts_with = "steps")]
    epochs: Option<u32>,
    /// The largest learning rate
    #[arg(long)]
    rate: Option<f64>,
    /// Input channels: grey or rgb; the default of a recipe is rgb if some of the images are in colour,
    /// except for the wavelet network
    #[arg(long, value_name = "COLOUR")]
    colour: Option<Colour>,
    /// Input height and width in pixels, or one side
    #[arg(long, value_name = "HxW", value_parser = size)]
    input: Option<[u32; 2]>,
    /// Print the configuration that would run, as a file for --config, and do nothing else
    #[arg(long, conflicts_with = "resume")]
    pub(super) print_config: bool,
}

/// The networks that have a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Recipe {
    /// Three reflection-padded convolutions, 40 million parameters, 5 coordinates; half of the pairs are
    /// same pairs, Adam 5e-4, 64 pairs per step, 100 epochs
    Baseline,
    /// Fewer than half a million parameters, 64 coordinates of unit length; all pairs of balanced batches;
    /// contrastive loss and a classifier over the training identities
    Compact,
    /// Fixed Gabor wavelets and one linear layer, computed in closed form without training steps; for few
    /// identities, in seconds
    Wavelet,
}

impl ConfigOptions {
    /// Reads the configuration file, if one is given.
    pub(super) fn file(&self) -> anyhow::Result<Option<ConfigFile>> {
        self.config.as_deref().map(read).transpose()
    }

    /// Returns whether the head of a backbone is chosen by measurement: no option and no file says how it is trained.
    pub(super) fn leaves_head_open(&self) -> bool {
        self.config.is_none()
            && self.loss.is_none()
            && self.steps.is_none()
            && self.epochs.is_none()
            && self.rate.is_none()
    }

    /// Returns whether the size of the input of a backbone is chosen by measurement.
    pub(super) fn leaves_input_open(&self) -> bool {
        self.choose_input && self.input.is_none()
    }

    /// Returns whether the pooling of a backbone is chosen by measurement.
    pub(super) fn leaves_pooling_open(&self) -> bool {
        self.choose_input && self.pooling.is_none()
    }

    /// Opens the backbone of the command line, or else that of an earlier configuration.
    pub(super) fn backbone(&self, earlier: Option<&Config>) -> anyhow::Result<Option<Backbone>> {
        let earlier = earlier.and_then(|config| config.backbone.as_ref());
        let name = self.backbone.as_ref().or(earlier.map(|backbone| &backbone.name));
        name.map(|name| Backbone::open(name)).transpose()
    }

    /// Returns the recipe or the configuration of the file, with the changes from the command line. A recipe is adapted to
    /// the images.
    ///
    /// # Errors
    ///
    /// If the list tells where pairs have changed, and the backbone can't learn it.
    pub(super) fn config(
        &self,
        file: Option<&Config>,
        images: &Collection,
        backbone: Option<&Backbone>,
    ) -> anyhow::Result<Config> {
        let tells_places = images.listing().is_some_and(Listing::tells_places);
        let mut config = match (file, backbone, self.network) {
            (Some(config), _, _) => config.clone(),
            (None, Some(backbone), _) if tells_places => Config::cells(backbone, backbone.cells()?),
            (None, Some(backbone), _) => Config::on_backbone(backbone),
            (None, None, Recipe::Baseline) => Config::baseline(),
            (None, None, Recipe::Compact) => Config::compact(),
            (None, None, Recipe::Wavelet) => Config::wavelet(),
        };
        if file.is_none() {
            if let Some(listing) = images.listing() {
                config.adapt_to_list(self.loss.is_none() && !listing.triplets().is_empty());
            }
            let reads_colour = backbone.is_none() && self.network != Recipe::Wavelet;
            if reads_colour && self.colour.is_none() && images.is_in_colour() {
                config.input.colour = Colour::Rgb;
                note(
                    "note: the images are in colour, so the network reads rgb; --colour grey reads brightness only",
                );
            }
        }
        config.input.colour = self.colour.unwrap_or(config.input.colour);
        if let Some([height, width]) = self.input {
            config.input = Input { height, width, ..config.input };
        }
        match (self.pooling, backbone) {
            (None, _) => {}
            (Some(_), None) => bail!("--pooling is for a backbone: add --backbone, or omit it"),
            (Some(pooling), Some(backbone)) => {
                backbone.check_pooling(pooling)?;
                config.set_pooling(Some(pooling), backbone);
            }
        }
        if let Some(loss) = self.loss {
            config.choose_loss(loss);
        }
        config.loss.margin = self.margin.unwrap_or(config.loss.margin);
        config.seed = self.seed.unwrap_or(config.seed);
        config.optimizer.rate = self.rate.unwrap_or(config.optimizer.rate);
        let length = self.steps.map(Length::Steps);
        config.length = length.or(self.epochs.map(Length::Epochs)).unwrap_or(config.length);
        Ok(config)
    }
}

/// The contents of a configuration file.
pub(super) enum ConfigFile {
    /// A configuration.
    Config(Box<Config>),
    /// The record of a run, which contains its configuration.
    Run(Box<Record>),
}

impl ConfigFile {
    pub(super) fn config(&self) -> &Config {
        match self {
            Self::Config(config) => config,
            Self::Run(record) => &record.config,
        }
    }
}

/// Reads a configuration, or the record of a run.
fn read(file: &Path) -> anyhow::Result<ConfigFile> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    match toml::from_str::<Record>(&text) {
        Ok(record) => Ok(ConfigFile::Run(Box::new(record))),
        Err(_) => toml::from_str(&text)
            .map(|config| ConfigFile::Config(Box::new(config)))
            .with_context(|| format!("{} contains no configuration of a run", file.display())),
    }
}
