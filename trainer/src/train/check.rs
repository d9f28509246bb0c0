//! Choices that can't be, told before anything is read.

use anyhow::{Context, bail, ensure};
use siamese_core::picture::Colour;

use crate::config::Config;
use crate::data::Listing;
use crate::loss::LossKind;
use crate::network::NetworkConfig;

/// Choices that can't be, each with the way out.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.loss.margin.is_finite() && 0.0 < config.loss.margin,
        "a margin is a positive number, which {} is not",
        config.loss.margin
    );
    ensure!(
        !(config.loss.kind == LossKind::Contrastive && config.network.unit())
            || config.loss.margin <= 2.0,
        "unit embeddings are at most 2 apart: choose a margin of at most 2, not {}",
        config.loss.margin
    );
    ensure!(
        config.loss.kind != LossKind::MultiSimilarity || config.network.unit(),
        "the multi-similarity loss is of cosines: choose a network with unit embeddings, such as compact"
    );
    ensure!(
        config.optimizer.rate.is_finite() && 0.0 < config.optimizer.rate,
        "a learning rate is a positive number, which {} is not",
        config.optimizer.rate
    );
    ensure!(
        0 < config.watch.evaluate_every && 0 < config.watch.checkpoint_every,
        "measuring and saving happen every so many steps, at least 1"
    );
    if let NetworkConfig::Wavelet(wavelet) = &config.network {
        ensure!(
            config.input.colour == Colour::Grey,
            "the wavelet network reads grey pictures: choose the input's colour grey, or another network"
        );
        ensure!(
            0 < wavelet.width && wavelet.width <= wavelet.features(),
            "this network finds {} features: choose a width of at most that, not {}",
            wavelet.features(),
            wavelet.width
        );
    }
    ensure!(
        config.whitening.is_none() || matches!(config.network, NetworkConfig::Wavelet(_)),
        "whitening is for the wavelet network: leave it out, or choose that"
    );
    let [_, height, width] = config.preparation().shape();
    ensure!(
        !config.symmetry.turns() || height == width,
        "pictures that are turned must be square: choose an input of {height}x{height}, or another symmetry"
    );
    let least = match &config.network {
        NetworkConfig::Seed => 3,
        NetworkConfig::Compact(compact) => 2_usize << compact.blocks.len(),
        NetworkConfig::Wavelet(_) => 16,
    };
    ensure!(
        least <= height.min(width),
        "this network needs an input of at least {least}x{least}, not {height}x{width}"
    );
    config.preparation().validate().context("the input")
}

/// Choices that need identities, which a list does not name; each with the way out.
pub(super) fn check_listed(config: &Config, listing: &Listing) -> anyhow::Result<()> {
    let instead =
        if listing.triplets().is_empty() { "contrastive" } else { "triplet or contrastive" };
    match config.loss.kind {
        LossKind::Softmax | LossKind::MultiSimilarity => {
            bail!("this loss needs identities, which a list does not name: choose --loss {instead}")
        }
        LossKind::Triplet => ensure!(
            !listing.triplets().is_empty(),
            "the triplet loss needs triplets, and this list holds pairs: choose --loss contrastive, or a list with \
             the columns anchor,positive,negative"
        ),
        LossKind::Contrastive => {}
    }
    ensure!(
        !config.loss.needs_classifier(),
        "the classifier beside the loss needs identities, which a list does not name: choose classifier_weight = 0"
    );
    ensure!(
        config.whitening.is_none(),
        "whitening needs identities, which a list does not name: choose --network compact or seed"
    );
    Ok(())
}
