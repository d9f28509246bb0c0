//! A pair that is aligned, with what is known of it, ready for the model.

use std::path::Path;

use sha2::{Digest, Sha256};
use siamese_core::changes::{Align, Compared, Distances, Grid, Ignored, NotCompared, Views};
use siamese_core::model::{Description, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::{DecodeError, Detail, Limits, Photograph};
use siamese_core::score::{InvalidMap, Map};
use thiserror::Error;

use super::area::Area;
use super::{Shift, Truth};
use crate::data::{ChangePair, Unreadable, Uploads};

/// The pairs of tiles that run together: as few as fill a batch of a few images, because each tile takes memory.
const TILES_OF_RUN: usize = 4;

/// A pair that is ready for the model.
pub(super) struct Prepared {
    views: Views,
    grid: Grid,
    distances: Distances,
    pub(super) truth: Truth,
    /// The SHA-256 of the files.
    pub(super) digest: [u8; 32],
}

/// A pair cannot be compared.
#[derive(Debug, Error)]
pub(super) enum NotPrepared {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("{0}")]
    NotCompared(#[from] NotCompared),
    #[error("its images are too small for this shift")]
    Small,
}

impl From<DecodeError> for NotPrepared {
    fn from(cause: DecodeError) -> Self {
        Self::Unreadable(cause.into())
    }
}

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
    ) -> Result<Self, NotPrepared> {
        let decode = |upload: &[u8]| Photograph::decode(upload, &Limits::default(), Detail::Full);
        let Uploads { images, mask } = pair.uploads(root)?;
        let [before, after] = [decode(&images[0])?, decode(&images[1])?];
        let digest = images
            .iter()
            .chain(&mask)
            .fold(Sha256::new(), |digest, upload| digest.chain_update(Sha256::digest(upload)));
        let mask = mask.as_deref().map(decode).transpose()?;
        let area = Area::of(&pair.area, mask.as_ref(), &after);
        let (images, area) = match shift {
            None => ([before, after], area),
            Some(shift) => shift.cut(index, &[before, after], area).ok_or(NotPrepared::Small)?,
        };
        let grid = Grid::for_model(model, &images[1], None)?;
        let views = Views::of(images, Align::default(), &Ignored::default())?;
        let distances = views.distances(&grid)?;
        let is_compared = |cell| distances.is_compared(cell);
        let truth = Truth::of(area, views.images(), grid.layout(), is_compared);
        Ok(Self { views, grid, distances, truth, digest: digest.finalize().into() })
    }

    /// Runs the model on all tiles.
    pub(super) fn compared(self, model: &mut OnnxModel) -> Result<(Compared, Truth), ModelFailed> {
        let Self { views, grid, mut distances, truth, .. } = self;
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
