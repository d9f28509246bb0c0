//! The pairs of a run that learns where images have changed.

use std::collections::BTreeMap;

use siamese_core::output::note;
use siamese_core::preprocessing::Pixels;

use super::MAX_COMPARED;
use crate::backbone::{CellExtractor, LoadedBackbone};
use crate::config::{Config, Data};
use crate::data::{Collection, DataError};
use crate::learn::Tiles;

/// The pairs of both sides of a split.
pub(super) struct Cells {
    /// The tiles to train on.
    pub(super) training: Tiles,
    /// The tiles of the held-out pairs.
    pub(super) held_out: Option<Tiles>,
    /// Inputs of the model with the maps of the backbone.
    pub(super) sample: Vec<(Pixels, Vec<f32>)>,
    /// What is conspicuous about the pairs.
    pub(super) warnings: Vec<String>,
}

impl Cells {
    /// Aligns the pairs of both sides, and computes their maps.
    pub(super) fn read(
        config: &Config,
        backbone: &LoadedBackbone,
        training: &Collection,
        held_out: Option<&Collection>,
        skip_unreadable: bool,
    ) -> anyhow::Result<Self> {
        let sides = || [Some(training), held_out].into_iter().flatten();
        let n_pairs = |images: &Collection| images.listing().map_or(0, |it| it.pairs().len());
        let extractor =
            CellExtractor::new(backbone, &config.preprocessing(), sides().map(n_pairs).sum())?;
        let read = |images: &Collection| -> anyhow::Result<Tiles> {
            let tiles = Tiles::read(images, &extractor, skip_unreadable)?;
            for skipped in tiles.skipped() {
                note(&format!("skipped {skipped}"));
            }
            Ok(tiles)
        };
        let tiles = read(training)?;
        tiles.check_count()?;
        let held_out_tiles = held_out.map(read).transpose()?;
        extractor.finish();
        let compared = held_out.unwrap_or(training);
        let pairs = compared.change_pairs().unwrap_or_default();
        // Both images of a pair are compared.
        let step = (2 * pairs.len()).div_ceil(MAX_COMPARED).max(1);
        let some = pairs.iter().step_by(step);
        let first = some.filter_map(|pair| extractor.first_tile(pair, compared.root()).ok());
        Ok(Self {
            training: tiles,
            held_out: held_out_tiles,
            sample: first.flatten().collect(),
            warnings: warnings(training),
        })
    }

    /// Checks that no file is on both sides.
    pub(super) fn check_apart(&self) -> Result<(), DataError> {
        let known: BTreeMap<_, _> =
            self.training.files().map(|(name, digest)| (digest, name)).collect();
        let held_out = self.held_out.iter().flat_map(Tiles::files);
        let twice = held_out.filter_map(|(name, digest)| {
            known.get(digest).map(|other| format!("{name} and {other}"))
        });
        let twice: Vec<_> = twice.collect();
        if twice.is_empty() { Ok(()) } else { Err(DataError::Leaked(twice)) }
    }

    /// Describes the training pairs, for the record of the run.
    pub(super) fn data(&self, name: &str) -> Data {
        Data {
            name: name.to_owned(),
            digest: self.training.digest().to_owned(),
            identities: self.training.components().len(),
            images: self.training.files().count(),
            pairs: Some(self.training.len()),
        }
    }
}

/// Returns warnings about the pairs of a list.
fn warnings(images: &Collection) -> Vec<String> {
    let sizes: Vec<_> = images.identities().iter().map(|it| it.images.len()).collect();
    images.listing().map(|listing| listing.warnings(&sizes)).unwrap_or_default()
}
