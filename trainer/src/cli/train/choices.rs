//! The choices of a run: a recipe or a file, and what differs from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::{Config, Length, LossKind, Record};
use crate::data::Listing;

/// What differs from the network's own recipe.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Choices {
    /// The network, with the recipe that suits it
    #[arg(long, value_enum, default_value = "compact")]
    network: Recipe,
    /// Every choice from a file; with an earlier run's `run.toml`, the identities it held out too
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    config: Option<PathBuf>,
    /// The loss
    #[arg(long, value_enum)]
    loss: Option<LossKind>,
    /// How far different pairs are pushed apart (contrastive), or the lead of the same over the
    /// different (triplet)
    #[arg(long)]
    margin: Option<f64>,
    /// What all chance is drawn from
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps
    #[arg(long)]
    steps: Option<u32>,
    /// How many times as many draws as there are images
    #[arg(long, conflicts_with = "steps")]
    epochs: Option<u32>,
    /// The largest learning rate
    #[arg(long)]
    rate: Option<f64>,
}

/// The networks that have a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Recipe {
    /// Three reflection-padded convolutions, 40 million parameters, 5 coordinates; pairs drawn half
    /// and half, Adam 5e-4, 64 pairs a step, 100 epochs
    Baseline,
    /// Below half a million parameters, 64 unit coordinates; all pairs of balanced batches, with a
    /// classifier over the training identities beside the contrastive loss
    Compact,
    /// Gabor wavelets of fixed shape and one linear layer in closed form, without a step: for few
    /// identities, in seconds
    Wavelet,
}

impl Choices {
    /// What the file holds, where one is named.
    pub(super) fn earlier(&self) -> anyhow::Result<Option<Earlier>> {
        self.config.as_deref().map(read).transpose()
    }

    /// The recipe, or the choices of a file, with those made on the command line.
    pub(super) fn config(&self, earlier: Option<&Config>, listing: Option<&Listing>) -> Config {
        let mut config = match (earlier, self.network) {
            (Some(config), _) => config.clone(),
            (None, Recipe::Baseline) => Config::baseline(),
            (None, Recipe::Compact) => Config::compact(),
            (None, Recipe::Wavelet) => Config::wavelet(),
        };
        if let (None, Some(listing)) = (earlier, listing) {
            config.suit_to_list(self.loss.is_none() && !listing.triplets().is_empty());
        }
        if let Some(loss) = self.loss {
            config.choose_loss(loss);
        }
        config.loss.margin = self.margin.unwrap_or(config.loss.margin);
        config.seed = self.seed.unwrap_or(config.seed);
        config.optimizer.rate = self.rate.unwrap_or(config.optimizer.rate);
        let length = self.steps.map(Length::Steps);
        config.length = length.or(self.epochs.map(Length::Epochs)).unwrap_or(config.length);
        config
    }
}

/// What a file of choices holds.
pub(super) enum Earlier {
    /// Choices alone.
    Config(Box<Config>),
    /// A whole run's record.
    Run(Box<Record>),
}

impl Earlier {
    pub(super) fn config(&self) -> &Config {
        match self {
            Self::Config(config) => config,
            Self::Run(record) => &record.config,
        }
    }
}

/// Reads choices, bare or as a run's record.
fn read(file: &Path) -> anyhow::Result<Earlier> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    match toml::from_str::<Record>(&text) {
        Ok(record) => Ok(Earlier::Run(Box::new(record))),
        Err(_) => toml::from_str(&text)
            .map(|it| Earlier::Config(Box::new(it)))
            .with_context(|| format!("{} holds no choices of a run", file.display())),
    }
}
