//! A pair that is aligned, with what is known of it.

use sha2::{Digest, Sha256};
use siamese_core::changes::{Align, Distances, Grid, Ignored, NotCompared, Views};
use siamese_core::preprocessing::{Detail, Limits, Photograph};
use thiserror::Error;

use super::area::Area;
use super::{ChangePair, Shift, Truth, Uploads};
use crate::data::Unreadable;

/// A pair that is aligned, with what is known of it.
pub(crate) struct AlignedPair {
    /// Both images, with the same light.
    pub(crate) views: Views,
    /// The cells and tiles.
    pub(crate) grid: Grid,
    /// The cells that are compared; their distances are 0.
    pub(crate) distances: Distances,
    /// What is known of the cells.
    pub(crate) truth: Truth,
    /// The SHA-256 of the files.
    pub(crate) digest: [u8; 32],
}

/// A pair cannot be compared.
#[derive(Debug, Error)]
pub enum NotAligned {
    /// A file cannot be read as an image.
    #[error("{name}: {why}")]
    File {
        /// Its name in the list.
        name: String,
        /// Why it cannot be read.
        why: Unreadable,
    },
    /// The backbone fails on a tile.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A change is where the image has no pixels.
    #[error("a box does not touch the image, which has {}x{} pixels", .0[0], .0[1])]
    Outside([u32; 2]),
    /// The images can't be compared place by place.
    #[error("{0}")]
    NotCompared(#[from] NotCompared),
    /// The shift would cut off the images.
    #[error("its images are too small for this shift")]
    Small,
}

impl NotAligned {
    /// A file that cannot be read as an image.
    pub(super) fn file(name: &str, why: impl Into<Unreadable>) -> Self {
        Self::File { name: name.to_owned(), why: why.into() }
    }
}

impl AlignedPair {
    /// Aligns a pair as the server does by default. `grid` divides the second image. The `shift` is that of the pair with
    /// an index.
    pub(crate) fn of(
        pair: &ChangePair,
        uploads: &Uploads,
        shift: Option<(Shift, usize)>,
        grid: impl FnOnce(&Photograph) -> Result<Grid, NotCompared>,
    ) -> Result<Self, NotAligned> {
        let decode = |upload: &[u8], name: &str| {
            Photograph::decode(upload, &Limits::default(), Detail::Full)
                .map_err(|why| NotAligned::file(name, why))
        };
        let Uploads { images, mask } = uploads;
        let [before_name, after_name] = pair.names();
        let before = decode(&images[0], before_name)?;
        let after = decode(&images[1], after_name)?;
        let mask = mask.as_deref().zip(pair.mask());
        let mask = mask.map(|(mask, name)| decode(mask, name)).transpose()?;
        let area = Area::of(&pair.area, mask.as_ref(), &after);
        if !area.touches(after.size()) {
            return Err(NotAligned::Outside(after.full_size()));
        }
        let (images, area) = match shift {
            None => ([before, after], area),
            Some((shift, index)) => {
                shift.cut(index, &[before, after], area).ok_or(NotAligned::Small)?
            }
        };
        let grid = grid(&images[1])?;
        let views = Views::of(images, Align::default(), &Ignored::default())?;
        let distances = views.distances(&grid)?;
        let is_compared = |cell| distances.is_compared(cell);
        let truth = Truth::of(area, views.images(), grid.layout(), is_compared);
        Ok(Self { views, grid, distances, truth, digest: uploads.digest() })
    }
}

impl Uploads {
    /// Returns the SHA-256 of the files.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let files = self.images.iter().chain(&self.mask);
        let hasher =
            files.fold(Sha256::new(), |hasher, upload| hasher.chain_update(Sha256::digest(upload)));
        hasher.finalize().into()
    }
}
