//! Computes the maps of pairs on all cores, and caches them.

use std::path::Path;

use burn::tensor::f16;
use siamese_core::changes::Grid;
use siamese_core::preprocessing::{Photograph, Pixels, Preprocessing};

use super::CellTile;
use crate::backbone::progress::Progress;
use crate::backbone::sessions::Sessions;
use crate::backbone::stored::Stored;
use crate::backbone::{CellBackbone, LoadedBackbone};
use crate::data::{AlignedPair, CellTruth, ChangePair, NotAligned, Uploads, digest_of};

/// The most tiles of a pair. More would be much alike, and take much memory.
const MOST_TILES: usize = 16;
/// How many of them may contain a change, if there are others.
const MOST_CHANGED: usize = 12;

/// Computes the tiles of pairs.
pub struct CellExtractor {
    sessions: Sessions,
    preprocessing: Preprocessing,
    cache: Stored,
    progress: Progress,
}

impl CellExtractor {
    /// Opens the first stages of a network for tiles of this preprocessing. `n_pairs` is the length of the progress bar.
    ///
    /// # Errors
    ///
    /// If the network has no maps of cells, or can't be run.
    pub fn new(
        loaded: &LoadedBackbone,
        preprocessing: &Preprocessing,
        n_pairs: usize,
    ) -> anyhow::Result<Self> {
        let onnx = loaded.cells()?.with_row(places(preprocessing).iter().product())?;
        let sessions = Sessions::open(loaded.backbone.name(), &onnx, preprocessing, None)?;
        let cache = Stored::open("cells", sessions.folder());
        let progress = Progress::new("maps of pairs".to_owned(), n_pairs);
        Ok(Self { sessions, preprocessing: preprocessing.clone(), cache, progress })
    }

    /// Aligns a pair as the server does, and computes the maps of its tiles, or reads them from the cache. Of a large image,
    /// it takes up to 16 tiles, of which up to 12 have changed if others have not.
    ///
    /// # Errors
    ///
    /// If the pair can't be compared, or the network fails on it.
    pub(crate) fn tiles(
        &self,
        pair: &ChangePair,
        uploads: &Uploads,
    ) -> Result<Vec<CellTile>, NotAligned> {
        // Another version may align in another way.
        let key = (env!("CARGO_PKG_VERSION"), uploads.digest(), &pair.area);
        let digest = digest_of(format!("{key:?}").as_bytes());
        let n_cells = places(&self.preprocessing).iter().product();
        let known = self.cache.read(&digest);
        let known = known.and_then(|bytes| CellTile::read(&bytes, n_cells, self.sessions.width()));
        let tiles = if let Some(tiles) = known {
            tiles
        } else {
            let tiles = self.compute(&self.aligned(pair, uploads)?)?;
            let mut bytes = Vec::new();
            for tile in &tiles {
                tile.write(&mut bytes);
            }
            self.cache.keep(&digest, &bytes);
            tiles
        };
        self.progress.advance();
        Ok(tiles)
    }

    /// Returns the model's input for the first tile of both images of a pair, and their maps in single precision. `root` is
    /// the folder of the list.
    ///
    /// # Errors
    ///
    /// If the pair can't be read or compared, or the network fails on it.
    pub fn first_tile(
        &self,
        pair: &ChangePair,
        root: &Path,
    ) -> Result<Vec<(Pixels, Vec<f32>)>, NotAligned> {
        let pixels = self.pixels(&self.aligned(pair, &pair.uploads(root)?)?, 0);
        let maps = self.sessions.rows(&pixels)?;
        Ok(pixels.into_iter().zip(maps).collect())
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.progress.finish();
    }

    fn aligned(&self, pair: &ChangePair, uploads: &Uploads) -> Result<AlignedPair, NotAligned> {
        let grid = |after: &Photograph| {
            let side = f64::from(CellBackbone::CELL);
            Ok(Grid::new(after.size(), side, places(&self.preprocessing), &self.preprocessing))
        };
        AlignedPair::of(pair, uploads, None, grid)
    }

    fn compute(&self, pair: &AlignedPair) -> Result<Vec<CellTile>, NotAligned> {
        let truth: Vec<_> = (0..pair.grid.tiles())
            .map(|tile| CellTile::truth_of(&pair.truth, &pair.grid, tile))
            .collect();
        let tiles = chosen(&truth).into_iter().map(|tile| {
            let maps = self.sessions.rows(&self.pixels(pair, tile))?;
            let [before, after] = [&maps[0], &maps[1]]
                .map(|map| map.iter().map(|value| f16::from_f32(*value)).collect());
            Ok(CellTile { maps: [before, after], truth: truth[tile].clone() })
        });
        tiles.collect()
    }

    /// Returns the model's input for a tile of both images.
    fn pixels(&self, AlignedPair { views, grid, .. }: &AlignedPair, tile: usize) -> [Pixels; 2] {
        views.images().each_ref().map(|image| grid.pixels(image, tile, &self.preprocessing))
    }
}

/// Rows and columns of cells of an input.
fn places(preprocessing: &Preprocessing) -> [usize; 2] {
    [preprocessing.height, preprocessing.width].map(|side| (side / CellBackbone::CELL) as usize)
}

/// Chooses tiles of which something is known, spread evenly. `truth` is that of each tile.
fn chosen(truth: &[Vec<CellTruth>]) -> Vec<usize> {
    let with = |tile: &usize, what| truth[*tile].contains(&what);
    let (changed, others): (Vec<usize>, Vec<usize>) = (0..truth.len())
        .filter(|tile| with(tile, CellTruth::Changed) || with(tile, CellTruth::Unchanged))
        .partition(|tile| with(tile, CellTruth::Changed));
    let most_changed = MOST_CHANGED.max(MOST_TILES.saturating_sub(others.len()));
    let mut chosen = spread(&changed, most_changed);
    chosen.extend(spread(&others, MOST_TILES - chosen.len()));
    chosen.sort_unstable();
    chosen
}

/// Returns at most `most` of the items, spread evenly.
fn spread(items: &[usize], most: usize) -> Vec<usize> {
    let count = most.min(items.len());
    (0..count).map(|place| items[place * items.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::CellTruth::{Changed, Unchanged, Unknown};
    use super::*;

    #[test]
    fn changed_tiles_come_first_and_others_are_spread_evenly() {
        let mut truth = vec![vec![Unchanged, Unknown]; 30];
        truth[7] = vec![Changed, Unknown];
        truth[3] = vec![Unknown; 2];
        let few = chosen(&truth);
        assert_eq!(few.len(), MOST_TILES);
        assert!(few.contains(&7) && !few.contains(&3) && few.contains(&0) && few.contains(&28));
        assert_eq!(chosen(&truth[..9]), [0, 1, 2, 4, 5, 6, 7, 8]);
        let all = vec![vec![Changed]; 40];
        assert_eq!(chosen(&all).len(), MOST_TILES);
        let most = [vec![vec![Changed]; 40], vec![vec![Unchanged]; 40]].concat();
        assert_eq!(chosen(&most).iter().filter(|tile| **tile < 40).count(), MOST_CHANGED);
    }
}
