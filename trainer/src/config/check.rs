//! Choices that can't be, told before anything is read.

use anyhow::{Context, bail, ensure};
use siamese_core::preprocessing::Colour;

use super::{Config, LossKind};
use crate::data::Listing;
use crate::network::NetworkConfig;

impl Config {
    /// Refuses choices that can't be, each with the way out.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.loss.margin.is_finite() && 0.0 < self.loss.margin,
            "a margin is a positive number, which {} is not",
            self.loss.margin
        );
        ensure!(
            !(self.loss.kind == LossKind::Contrastive && self.network.unit())
                || self.loss.margin <= 2.0,
            "unit embeddings are at most 2 apart: choose a margin of at most 2, not {}",
            self.loss.margin
        );
        ensure!(
            self.loss.kind != LossKind::MultiSimilarity || self.network.unit(),
            "the multi-similarity loss is of cosines: choose a network with unit embeddings, such as compact"
        );
        ensure!(
            self.optimizer.rate.is_finite() && 0.0 < self.optimizer.rate,
            "a learning rate is a positive number, which {} is not",
            self.optimizer.rate
        );
        ensure!(
            0 < self.watch.evaluate_every && 0 < self.watch.checkpoint_every,
            "measuring and saving happen every so many steps, at least 1"
        );
        if let NetworkConfig::Wavelet(wavelet) = &self.network {
            ensure!(
                self.input.colour == Colour::Grey,
                "the wavelet network reads grey images: choose the input's colour grey, or another network"
            );
            ensure!(
                0 < wavelet.width && wavelet.width <= wavelet.features(),
                "this network finds {} features: choose a width of at most that, not {}",
                wavelet.features(),
                wavelet.width
            );
        }
        ensure!(
            self.whitening.is_none() || matches!(self.network, NetworkConfig::Wavelet(_)),
            "whitening is for the wavelet network: leave it out, or choose that"
        );
        let [_, height, width] = self.preprocessing().shape();
        ensure!(
            !self.symmetry.turns() || height == width,
            "images that are turned must be square: choose an input of {height}x{height}, or another symmetry"
        );
        let least = match &self.network {
            NetworkConfig::Baseline => 3,
            NetworkConfig::Compact(compact) => 2_usize << compact.blocks.len(),
            NetworkConfig::Wavelet(_) => 16,
        };
        ensure!(
            least <= height.min(width),
            "this network needs an input of at least {least}x{least}, not {height}x{width}"
        );
        self.preprocessing().validate().context("the input")
    }

    /// Refuses choices that need identities, which a list does not name; each with the way out.
    pub fn check_listed(&self, listing: &Listing) -> anyhow::Result<()> {
        let instead =
            if listing.triplets().is_empty() { "contrastive" } else { "triplet or contrastive" };
        match self.loss.kind {
            LossKind::Softmax | LossKind::MultiSimilarity => {
                bail!(
                    "this loss needs identities, which a list does not name: choose --loss {instead}"
                )
            }
            LossKind::Triplet => ensure!(
                !listing.triplets().is_empty(),
                "the triplet loss needs triplets, and this list holds pairs: choose --loss contrastive, or a list with \
             the columns anchor,positive,negative"
            ),
            LossKind::Contrastive => {}
        }
        ensure!(
            !self.loss.needs_classifier(),
            "the classifier beside the loss needs identities, which a list does not name: choose classifier_weight = 0"
        );
        ensure!(
            self.whitening.is_none(),
            "whitening needs identities, which a list does not name: choose --network compact or baseline"
        );
        Ok(())
    }
}
