//! A pair that is aligned, ready for the model.

use std::path::Path;

use siamese_core::changes::{Compared, Grid};
use siamese_core::model::{Description, Model, ModelError, OnnxModel};
use siamese_core::score::{InvalidMap, Map};
use thiserror::Error;

use crate::data::{AlignedPair, ChangePair, NotAligned, Shift, Truth};

/// The pairs of tiles that run together: as few as fill a batch of a few images, because each tile takes memory.
const TILES_OF_RUN: usize = 4;

/// A pair that is ready for the model.
pub(super) struct Prepared(pub(super) AlignedPair);

/// The model fails on a pair.
#[derive(Debug, Error)]
pub enum ModelFailed {
    /// The run failed.
    #[error(transparent)]
    Run(#[from] ModelError),
    /// An output is not a map.
    #[error(transparent)]
    Map(#[from] InvalidMap),
}

impl Prepared {
    /// Reads and aligns the pair with an index, as the server does by default. `root` is the folder of the list.
    pub(super) fn read(
        pair: &ChangePair,
        index: usize,
        root: &Path,
        model: &Description,
        shift: Option<Shift>,
    ) -> Result<Self, NotAligned> {
        let shift = shift.map(|shift| (shift, index));
        let grid = |after: &_| Grid::for_model(model, after, None);
        AlignedPair::of(pair, &pair.uploads(root)?, shift, grid).map(Self)
    }

    /// Runs the model on all tiles.
    pub(super) fn compared(self, model: &mut OnnxModel) -> Result<(Compared, Truth), ModelFailed> {
        let AlignedPair { views, grid, mut distances, truth, .. } = self.0;
        let description = model.description().clone();
        let preprocessing = &description.card.preprocessing;
        let tiles: Vec<usize> = (0..grid.tiles()).collect();
        for tiles in tiles.chunks(TILES_OF_RUN) {
            let pixels: Vec<_> = views
                .images()
                .iter()
                .flat_map(|image| tiles.iter().map(|tile| grid.pixels(image, *tile, preprocessing)))
                .collect();
            let maps: Vec<Map> =
                model.map(&pixels)?.into_iter().collect::<Result<_, InvalidMap>>()?;
            let (before, after) = maps.split_at(tiles.len());
            for ((tile, before), after) in tiles.iter().zip(before).zip(after) {
                distances.add(&grid, *tile, [before, after]);
            }
        }
        Ok((views.compared(distances), truth))
    }
}
