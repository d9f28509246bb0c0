//! Checks of a configuration, before any image is read.

use anyhow::{Context, bail, ensure};
use siamese_core::preprocessing::Colour;

use super::{Config, LossKind};
use crate::data::{Listing, Symmetry};
use crate::network::NetworkConfig;

impl Config {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// If values are invalid or contradict each other; the message says what to change.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.loss.margin.is_finite() && 0.0 < self.loss.margin,
            "the margin must be a positive number, not {}",
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
            "the multi-similarity loss needs unit embeddings: choose a network that has them, such as compact"
        );
        ensure!(
            self.optimizer.rate.is_finite() && 0.0 < self.optimizer.rate,
            "the learning rate must be a positive number, not {}",
            self.optimizer.rate
        );
        ensure!(
            0 < self.watch.evaluate_every && 0 < self.watch.checkpoint_every,
            "evaluate_every and checkpoint_every must be at least 1"
        );
        if let NetworkConfig::Wavelet(wavelet) = &self.network {
            ensure!(
                self.input.colour == Colour::Grey,
                "the wavelet network needs grey images: set the input colour to grey, or choose another network"
            );
            ensure!(
                0 < wavelet.width && wavelet.width <= wavelet.features(),
                "this network has {} features: choose a width of at most that, not {}",
                wavelet.features(),
                wavelet.width
            );
        }
        ensure!(
            self.whitening.is_none()
                || matches!(self.network, NetworkConfig::Wavelet(_) | NetworkConfig::Head(_)),
            "whitening works only with the wavelet network or a backbone: remove it, or choose one of them"
        );
        let is_on_backbone =
            matches!(self.network, NetworkConfig::Head(_) | NetworkConfig::Cells(_));
        ensure!(
            self.backbone.is_some() == is_on_backbone,
            "a backbone belongs to the networks `head` and `cells`, and they need one: give both or neither"
        );
        ensure!(
            self.learns_cells() == (self.loss.kind == LossKind::Cells),
            "the cells of a list with boxes or a mask are learned with their own loss, and only they are: omit --loss"
        );
        ensure!(
            !self.learns_cells() || self.symmetry == Symmetry::None,
            "cells are learned from maps, which can't be turned: set symmetry to none"
        );
        let [_, height, width] = self.preprocessing().shape();
        ensure!(
            !self.symmetry.turns() || height == width,
            "turned images must be square: choose an input of {height}x{height}, or another symmetry"
        );
        let least = match &self.network {
            NetworkConfig::Baseline => 3,
            NetworkConfig::Compact(compact) => 2_usize << compact.blocks.len(),
            NetworkConfig::Wavelet(_) => 16,
            NetworkConfig::Head(_) => 1,
            // A smaller tile has no cell that is surrounded.
            NetworkConfig::Cells(_) => 64,
        };
        ensure!(
            least <= height.min(width),
            "this network needs an input of at least {least}x{least}, not {height}x{width}"
        );
        self.preprocessing().validate().context("the input")
    }

    /// Checks the configuration for training on a list.
    ///
    /// # Errors
    ///
    /// If it needs identities, which a list does not name; the message says what to change.
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
            LossKind::Cells => ensure!(
                listing.tells_places(),
                "this configuration learns cells, and the list does not tell where pairs have changed: give a list with a \
                 column boxes or mask, or another configuration"
            ),
            LossKind::Contrastive => {}
        }
        ensure!(
            self.whitening.is_none() || matches!(self.network, NetworkConfig::Head(_)),
            "this network needs identities, which a list does not name: choose --network compact or baseline, or a \
             --backbone"
        );
        ensure!(
            !self.loss.needs_classifier(),
            "the classifier beside the loss needs identities, which a list does not name: choose classifier_weight = 0"
        );
        Ok(())
    }
}
