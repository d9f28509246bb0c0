//! Pictures become planes: small ones on the spot, others on threads, costly ones in worker processes.
//!
//! Where an upload is decoded is chosen by what its header says. On the spot and on threads nothing can stop a decode, so
//! that only formats come there whose cost is bounded by their header, and only as many pixels as take some milliseconds.
//! All else goes to workers, in lanes by size: a picture never waits behind a larger one, and none takes the place of a
//! smaller one.

pub mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use siamese_core::model::Description;
use siamese_core::picture::{Estimate, Limits, PictureError, Pixels, Planes};

use super::admission::{Gate, Held, Limit};
use super::batch::Rank;
use super::{Event, Observer};
use crate::ops::blocking::{SMALL as SMALL_UPLOAD, compute};
use crate::ops::settings::PictureSettings;
use worker::{Allowance, Pool};

/// The most that is decoded on the spot: pixels, and pixels times passes. Some 0.2 ms of a baseline JPEG, a few times what
/// a change of threads costs.
const HERE: [u64; 2] = [32 << 10, 128 << 10];

/// The most that is decoded on a thread: pixels, and pixels times passes, so that a thread is not held for long.
const ON_A_THREAD: [u64; 2] = [2_000_000, 8_000_000];

/// The longest upload that is decoded on a thread, in bytes: what is skipped in a file takes time too.
const LONGEST_ON_A_THREAD: usize = 1 << 20;

/// The most pixels in each lane of workers but the last, which takes what the limits allow.
const LANES: [u64; 2] = [2_000_000, 16_000_000];

/// Planes of more bytes than this become numbers off the async threads.
const SMALL_PLANES: usize = 128 << 10;

/// What decodes uploads.
pub(crate) struct Decoder {
    limits: Limits,
    threads: Gate,
    lanes: Vec<Lane>,
    pool: Pool,
    /// Memory for the uploads that are in lanes: what is left of that for all bodies is for others.
    uploads: Gate,
    /// Pictures of many that are on a thread or in a lane.
    many: Gate,
    observer: Observer,
}

/// Workers for pictures up to a size.
pub struct Lane {
    pub(crate) max_pixels: u64,
    /// What one decode may take.
    pub(crate) allowance: Allowance,
    places: Gate,
    /// Pictures that are decoded, wait for that, or wait for the tower after it.
    admitted: Gate,
}

/// Where an upload is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By whoever asks.
    Here,
    /// On a thread for work that blocks.
    Thread,
    /// By a worker, in the lane of this number or, where the header told too little, in a later one.
    Worker(usize),
}

/// A picture that waits for its turn; dropped before that, it is counted.
struct Turn<'a>(Option<&'a Observer>);

/// The right of one picture to be in a lane.
pub(crate) struct Admitted {
    _place: Held,
    _upload: Held,
}

impl Decoder {
    /// Of `bodies`, the memory of all bodies in bytes, uploads in lanes may take three quarters.
    pub(crate) fn new(
        settings: &PictureSettings,
        bodies: usize,
        pool: Pool,
        observer: Observer,
    ) -> Self {
        let limits = settings.limits();
        let sizes = LANES.into_iter().filter(|pixels| *pixels < limits.max_pixels);
        let lanes = sizes.chain([limits.max_pixels]).map(|max_pixels| Lane {
            max_pixels,
            allowance: Allowance::from(settings).share(max_pixels, limits.max_pixels),
            places: Gate::new(settings.decodes(max_pixels)),
            admitted: Gate::new(settings.queue),
        });
        let threads = Gate::new(settings.decodes(ON_A_THREAD[0]));
        let many = settings.decodes(0).get() / 2;
        let many = Gate::new(NonZeroUsize::new(many).unwrap_or(NonZeroUsize::MIN));
        let uploads = Gate::of_bytes(bodies / 4 * 3);
        Self { limits, threads, lanes: lanes.collect(), pool, uploads, many, observer }
    }

    /// The lanes of workers, from small pictures to large ones.
    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Starts a worker; tells whether the system filters its calls.
    pub(crate) async fn warm_up(&self) -> std::io::Result<bool> {
        self.pool.warm_up().await
    }

    /// Counts workers that ended while they had nothing to do.
    pub(crate) fn reap(&self) {
        self.pool.reap();
    }

    /// Chooses where an upload is decoded, or refuses it by its header. Those of many never are on the spot: together they
    /// take their time.
    pub(crate) fn place(&self, upload: &[u8], rank: Rank) -> Result<Place, PictureError> {
        // What is no picture is refused at once.
        let Some(estimate) = Estimate::of(upload) else { return Ok(Place::Here) };
        if self.limits.max_pixels < estimate.pixels {
            return Err(PictureError::TooLarge);
        }
        let is_within = |[pixels, work]: [u64; 2], bytes| {
            estimate.is_bounded
                && estimate.pixels <= pixels
                && estimate.work() <= work
                && upload.len() <= bytes
        };
        Ok(if rank == Rank::Few && is_within(HERE, SMALL_UPLOAD) {
            Place::Here
        } else if is_within(ON_A_THREAD, LONGEST_ON_A_THREAD) {
            Place::Thread
        } else {
            self.lane_of(estimate.pixels)
        })
    }

    /// The first lane for so many pixels.
    fn lane_of(&self, pixels: u64) -> Place {
        let fits = |lane: &Lane| pixels <= lane.max_pixels;
        Place::Worker(self.lanes.iter().position(fits).unwrap_or(self.lanes.len() - 1))
    }

    /// Lets an upload of so many bytes into its lane, or refuses it before any work is done. Outside of the lanes there is
    /// nothing to ask for.
    pub(crate) fn admit(&self, place: Place, bytes: usize) -> Result<Option<Admitted>, Limit> {
        let Place::Worker(lane) = place else { return Ok(None) };
        let place = self.lanes[lane].admitted.try_enter(1).ok_or(Limit::Decodes)?;
        let upload = self.uploads.try_enter(bytes).ok_or(Limit::Decodes)?;
        Ok(Some(Admitted { _place: place, _upload: upload }))
    }

    /// The pixels that a tower reads of an upload.
    pub(crate) async fn pixels(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
        place: Place,
        rank: Rank,
    ) -> Result<Pixels, PictureError> {
        let planes = self.planes(tower, upload, place, rank).await?;
        let preparation = &tower.card.preparation;
        if planes.bytes().len() <= SMALL_PLANES {
            return Ok(preparation.pixels(&planes));
        }
        let tower = tower.clone();
        Ok(compute(move || tower.card.preparation.pixels(&planes)).await)
    }

    /// What a tower reads of an upload, as a PNG.
    pub(crate) async fn shown(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
        place: Place,
    ) -> Result<Vec<u8>, PictureError> {
        let planes = self.planes(tower, upload, place, Rank::Few).await?;
        let tower = tower.clone();
        Ok(compute(move || tower.card.preparation.png(&planes)).await)
    }

    async fn planes(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
        place: Place,
        rank: Rank,
    ) -> Result<Planes, PictureError> {
        let _share = match rank {
            Rank::Few => None,
            Rank::Many => Some(self.many.enter(1).await),
        };
        let decoded = match place {
            Place::Here => tower.card.preparation.planes(&upload, &self.up_to(HERE[0])),
            Place::Thread => self.on_a_thread(tower, upload.clone()).await,
            Place::Worker(_) => Err(PictureError::TooLarge),
        };
        let first = match (decoded, place) {
            (Err(PictureError::TooLarge), Place::Worker(lane)) => lane,
            // The decoder has read another header than the estimate.
            (Err(PictureError::TooLarge), _) => 0,
            (decoded, _) => return self.counted(decoded),
        };
        for lane in &self.lanes[first..] {
            match self.by_a_worker(lane, tower, &upload).await {
                Err(PictureError::TooLarge) => {}
                decoded => return self.counted(decoded),
            }
        }
        Err(PictureError::TooLarge)
    }

    async fn on_a_thread(
        &self,
        tower: &Arc<Description>,
        upload: Bytes,
    ) -> Result<Planes, PictureError> {
        let turn = Turn(Some(&self.observer));
        let place = self.threads.enter(1).await;
        turn.came();
        let (tower, limits) = (tower.clone(), self.up_to(ON_A_THREAD[0]));
        compute(move || {
            // A caller who leaves does not end this decode, so the place goes with it.
            let _place = place;
            tower.card.preparation.planes(&upload, &limits)
        })
        .await
    }

    async fn by_a_worker(
        &self,
        lane: &Lane,
        tower: &Description,
        upload: &Bytes,
    ) -> Result<Planes, PictureError> {
        let turn = Turn(Some(&self.observer));
        let _place = lane.places.enter(1).await;
        turn.came();
        let limits = self.up_to(lane.max_pixels);
        self.pool.planes(&tower.card.preparation, upload, limits, lane.allowance).await
    }

    fn counted(&self, decoded: Result<Planes, PictureError>) -> Result<Planes, PictureError> {
        if let Err(PictureError::DecoderFailed(_)) = decoded {
            (self.observer)(Event::DecoderFailed);
        }
        decoded
    }

    fn up_to(&self, max_pixels: u64) -> Limits {
        Limits { max_pixels: max_pixels.min(self.limits.max_pixels), ..self.limits }
    }
}

impl Lane {
    /// Decodes at once.
    pub(crate) fn decodes(&self) -> usize {
        self.places.most()
    }
}

impl Turn<'_> {
    fn came(mut self) {
        self.0 = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(observer) = self.0 {
            observer(Event::NotDecoded);
        }
    }
}
