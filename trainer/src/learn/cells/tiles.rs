//! The tiles of the pairs on one side of a split.

use std::collections::HashSet;
use std::ops::Range;

use rand::RngExt;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::TilesError;
use crate::backbone::{CellExtractor, CellTile};
use crate::data::{CellTruth, ChangePair, Collection, NotAligned, digest_of, digest_text};

/// The fewest pairs to train on.
pub(super) const LEAST: usize = 8;
/// Of the pairs drawn, this share shows a tile that has changed, if the pair has one.
const CHANGED_SHARE: f64 = 0.5;

/// The tiles of the pairs on one side of a split.
///
/// Invariant: there are changed cells and unchanged ones.
#[derive(Clone, Debug)]
pub struct Tiles {
    components: Vec<String>,
    pairs: Vec<TiledPair>,
    all: Vec<CellTile>,
    /// The name and the digest of each image.
    files: Vec<(String, String)>,
    digest: String,
    skipped: Vec<String>,
}

/// A pair, and its tiles by index.
#[derive(Clone, Debug)]
struct TiledPair {
    all: Range<usize>,
    changed: Vec<usize>,
}

/// The tiles of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::learn) struct DrawnTiles {
    /// What is known of each cell, tile by tile.
    pub(in crate::learn) truth: Vec<CellTruth>,
    /// The maps of all first images, and then those of the second ones.
    pub(in crate::learn) maps: Vec<f32>,
    /// The number of tiles.
    pub(in crate::learn) count: usize,
}

/// What is read of a pair.
struct Read {
    tiles: Vec<CellTile>,
    digests: [String; 2],
    /// Of all its files.
    digest: [u8; 32],
}

impl Tiles {
    /// Aligns the listed pairs, and computes or reads their maps. `images` are those of a list that tells where pairs have
    /// changed.
    ///
    /// # Errors
    ///
    /// If pairs can't be compared; the error lists them. With `skip_unreadable` they are [skipped](Self::skipped) instead.
    /// Also if there are no changed cells, or no unchanged ones.
    pub fn read(
        images: &Collection,
        extractor: &CellExtractor,
        skip_unreadable: bool,
    ) -> Result<Self, TilesError> {
        let listed = images.change_pairs().unwrap_or_default();
        let read = |pair: &ChangePair| -> Result<Read, NotAligned> {
            let uploads = pair.uploads(images.root())?;
            let tiles = extractor.tiles(pair, &uploads)?;
            let digests = uploads.images.each_ref().map(|upload| digest_of(upload));
            Ok(Read { tiles, digests, digest: uploads.digest() })
        };
        let read: Vec<_> = listed.par_iter().map(read).collect();
        let (mut pairs, mut tiles, mut files) = (Vec::new(), Vec::new(), Vec::new());
        let (mut names, mut skipped) = (HashSet::new(), Vec::new());
        let mut hasher = Sha256::new();
        for (pair, read) in listed.iter().zip(read) {
            let read = match read {
                Ok(read) => read,
                Err(why) => {
                    skipped.push(format!("{} ({why})", pair.names().join(" and ")));
                    continue;
                }
            };
            hasher.update(format!("{:?} {:?}", pair.names(), pair.area));
            hasher.update(read.digest);
            let start = tiles.len();
            let changed = read.tiles.iter().zip(start..).filter(|(tile, _)| tile.has_changed());
            let changed = changed.map(|(_, index)| index).collect();
            tiles.extend(read.tiles);
            // A pair without a known cell has no tile.
            if start < tiles.len() {
                pairs.push(TiledPair { all: start..tiles.len(), changed });
            }
            let both = pair.names().into_iter().zip(read.digests);
            // An image can be in several pairs.
            let new = both.filter(|(name, _)| names.insert(*name));
            files.extend(new.map(|(name, digest)| (name.to_owned(), digest)));
        }
        if !skip_unreadable && !skipped.is_empty() {
            return Err(TilesError::NotCompared(skipped));
        }
        let components = images.identities().iter().map(|component| component.name.clone());
        let digest = digest_text(hasher.finalize());
        let tiles =
            Self { components: components.collect(), pairs, all: tiles, files, digest, skipped };
        let has = |what| tiles.all.iter().any(|tile| tile.truth.contains(&what));
        if !has(CellTruth::Changed) {
            return Err(TilesError::NothingChanged(listed.len()));
        }
        if !has(CellTruth::Unchanged) {
            return Err(TilesError::AllChanged(listed.len()));
        }
        Ok(tiles)
    }

    /// Checks that there are enough pairs to train on.
    pub fn check_count(&self) -> Result<(), TilesError> {
        if self.len() < LEAST { Err(TilesError::TooFew(self.len())) } else { Ok(()) }
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Returns the names of the components.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// Returns the name and the digest of each image, in the order of the list.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, digest)| (name.as_str(), digest.as_str()))
    }

    /// Returns `sha256:` and the hex digest over all files and what the list tells of them.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the pairs that were left out, each with the reason.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Returns about `most` tiles or all: half of them with changes and half without, if there are so many, each spread
    /// evenly.
    pub(in crate::learn) fn spread(&self, most: usize) -> Vec<&CellTile> {
        let (changed, others): (Vec<&CellTile>, Vec<_>) =
            self.all.iter().partition(|tile| tile.has_changed());
        let step = |tiles: &[&CellTile]| (2 * tiles.len()).div_ceil(most).max(1);
        let steps = [step(&changed), step(&others)];
        let others = others.into_iter().step_by(steps[1]);
        changed.into_iter().step_by(steps[0]).chain(others).collect()
    }

    /// Draws one tile each of some pairs; fewer if there are not so many.
    pub(in crate::learn) fn draw(&self, count: usize, random: &mut ChaCha8Rng) -> DrawnTiles {
        let pairs = sample(random, self.pairs.len(), count.min(self.pairs.len()));
        let tiles = pairs.into_iter().map(|pair| {
            let TiledPair { all, changed } = &self.pairs[pair];
            let is_changed = random.random_bool(CHANGED_SHARE) && !changed.is_empty();
            let index = if is_changed {
                changed[random.random_range(0..changed.len())]
            } else {
                random.random_range(all.clone())
            };
            &self.all[index]
        });
        let tiles: Vec<_> = tiles.collect();
        DrawnTiles::of(&tiles)
    }
}

impl DrawnTiles {
    pub(super) fn of(tiles: &[&CellTile]) -> Self {
        let maps = [0, 1].into_iter().flat_map(|image| tiles.iter().map(move |it| &it.maps[image]));
        Self {
            truth: tiles.iter().flat_map(|tile| tile.truth.iter().copied()).collect(),
            maps: maps.flatten().map(|value| value.to_f32()).collect(),
            count: tiles.len(),
        }
    }
}
