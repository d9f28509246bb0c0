//! Pictures become pixels: one or two small ones on the spot, others off the async threads in lanes by their size.
//!
//! Each lane has places of its own, as many as there are cores where there is room for the pixels, so that a small
//! picture never waits behind a large one: at most it shares a core with it, and the system sees to that. Pictures of
//! requests with many have half of the places at most, so that a pair never waits behind all of them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::aside::{SMALL as SMALL_UPLOAD, aside};
use super::error::Fault;
use super::metrics::Metrics;
use crate::batch::Rank;
use crate::model::Description;
use crate::picture::{Limits, PictureError, Pixels, Preparation};
use crate::settings::PictureSettings;

/// The most pixels of a picture that is decoded on the spot: some 0.2 ms, a few times what a hand-over costs.
const SMALL: u64 = 32 << 10;

/// The most pixels of a picture in each lane but the last, which takes what the limits allow.
const LANES: [u64; 2] = [2_000_000, 16_000_000];

/// What decodes uploads.
pub(super) struct Decoder {
    limits: Limits,
    lanes: Vec<Lane>,
    /// Pictures of many that are in a lane.
    many: Semaphore,
    metrics: Arc<Metrics>,
}

/// Pictures up to a size, of which so many are decoded at once.
struct Lane {
    max_pixels: u64,
    places: Arc<Semaphore>,
}

/// What is made of an upload.
type Decode<T> = fn(&Preparation, &[u8], &Limits) -> Result<T, PictureError>;

/// A picture that waits for its turn; dropped before that, it is counted.
struct Turn<'a>(Option<&'a Metrics>);

impl Decoder {
    pub(super) fn new(settings: &PictureSettings, metrics: Arc<Metrics>) -> Self {
        let limits = settings.limits();
        let sizes = LANES.into_iter().filter(|it| *it < limits.max_pixels);
        let lanes = sizes.chain([limits.max_pixels]).map(|max_pixels| Lane {
            max_pixels,
            places: Arc::new(Semaphore::new(settings.decodes(max_pixels))),
        });
        let many = Semaphore::new((settings.decodes(0) / 2).max(1));
        Self { limits, lanes: lanes.collect(), many, metrics }
    }

    /// The pixels that a tower reads of an upload.
    ///
    /// Those of many go through the lanes even where they are small: together they take their time.
    pub(super) async fn pixels(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
        rank: Rank,
    ) -> Result<Pixels, Fault> {
        self.decoded(tower, upload, rank, Preparation::prepare).await
    }

    /// The same pixels as a PNG, for people.
    pub(super) async fn shown(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
    ) -> Result<Vec<u8>, Fault> {
        self.decoded(tower, upload, Rank::Few, Preparation::show).await
    }

    /// A picture's size is told by its decoder alone, which refuses what is too large by its header: so a lane is
    /// found by trying, and no two readers of one header can disagree.
    async fn decoded<T: Send + 'static>(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
        rank: Rank,
        decode: Decode<T>,
    ) -> Result<T, Fault> {
        if rank == Rank::Few && upload.len() <= SMALL_UPLOAD {
            match decode(&tower.card.preparation, &upload, &self.up_to(SMALL)) {
                Err(PictureError::TooLarge) => {}
                done => return Ok(done?),
            }
        }
        let _share = match rank {
            Rank::Few => None,
            Rank::Many => Some(self.many.acquire().await.expect("never closed")),
        };
        let (last, others) = self.lanes.split_last().expect("there is a lane without a size");
        for lane in others {
            match self.in_lane(lane, tower, upload.clone(), decode).await {
                Err(PictureError::TooLarge) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.in_lane(last, tower, upload, decode).await?)
    }

    async fn in_lane<T: Send + 'static>(
        &self,
        lane: &Lane,
        tower: &Arc<Description>,
        upload: Bytes,
        decode: Decode<T>,
    ) -> Result<T, PictureError> {
        let turn = Turn(Some(&self.metrics));
        let place = lane.places.clone().acquire_owned().await.expect("never closed");
        turn.came();
        let (tower, limits) = (tower.clone(), self.up_to(lane.max_pixels));
        aside(move || {
            // A caller who leaves does not end a decode, so the place goes with it.
            let _place = place;
            decode(&tower.card.preparation, &upload, &limits)
        })
        .await
    }

    fn up_to(&self, max_pixels: u64) -> Limits {
        Limits { max_pixels: max_pixels.min(self.limits.max_pixels), ..self.limits }
    }
}

impl Turn<'_> {
    fn came(mut self) {
        self.0 = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.not_decoded();
        }
    }
}
