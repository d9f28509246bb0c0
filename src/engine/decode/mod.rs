//! Images become planes: small ones on the spot, others on threads, costly ones in worker processes.
//!
//! Where an upload is decoded is chosen by what its header says. On the spot and on threads nothing can stop a decode, so
//! that only formats come there whose cost is bounded by their header, and only as many pixels as take some milliseconds.
//! All else goes to workers, in lanes by size: an image never waits behind a larger one, and none takes the place of a
//! smaller one.

pub mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use siamese_core::model::Description;
use siamese_core::preprocessing::{DecodeError, Estimate, Limits, Pixels, Planes};

use super::admission::{Gate, Held, Limit};
use super::batch::Priority;
use super::{Event, Observer};
use crate::ops::blocking::{SMALL as SMALL_UPLOAD, compute};
use crate::ops::settings::ImageSettings;
use worker::{Allowance, Pool};

/// The most that is decoded on the spot: pixels, and pixels times passes. Some 0.2 ms of a baseline JPEG, a few times what
/// a change of threads costs.
const INLINE: [u64; 2] = [32 << 10, 128 << 10];

/// The most that is decoded on a thread: pixels, and pixels times passes, so that a thread is not held for long.
const THREAD: [u64; 2] = [2_000_000, 8_000_000];

/// The longest upload that is decoded on a thread, in bytes: what is skipped in a file takes time too.
const LONGEST_ON_THREAD: usize = 1 << 20;

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
    /// Images of many that are on a thread or in a lane.
    many: Gate,
    observer: Observer,
}

/// Workers for images up to a size.
pub struct Lane {
    pub(crate) max_pixels: u64,
    /// What one decode may take.
    pub(crate) allowance: Allowance,
    places: Gate,
    /// Images that are decoded, wait for that, or wait for the model after it.
    admitted: Gate,
}

/// Where an upload is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executor {
    /// By whoever asks.
    Inline,
    /// On a thread for work that blocks.
    Thread,
    /// By a worker, in the lane of this number or, where the header told too little, in a later one.
    Worker(usize),
}

/// An image that waits for its turn; dropped before that, it is counted.
struct Turn<'a>(Option<&'a Observer>);

/// The right of one image to be in a lane.
pub(crate) struct Admitted {
    _place: Held,
    _upload: Held,
}

impl Decoder {
    /// Of `bodies`, the memory of all bodies in bytes, uploads in lanes may take three quarters.
    pub(crate) fn new(
        settings: &ImageSettings,
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
        let threads = Gate::new(settings.decodes(THREAD[0]));
        let many = settings.decodes(0).get() / 2;
        let many = Gate::new(NonZeroUsize::new(many).unwrap_or(NonZeroUsize::MIN));
        let uploads = Gate::of_bytes(bodies / 4 * 3);
        Self { limits, threads, lanes: lanes.collect(), pool, uploads, many, observer }
    }

    /// The lanes of workers, from small images to large ones.
    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Starts a worker; tells whether the system filters its calls.
    pub(crate) async fn tuning(&self) -> std::io::Result<bool> {
        self.pool.tuning().await
    }

    /// Counts workers that ended while they had nothing to do.
    pub(crate) fn reap(&self) {
        self.pool.reap();
    }

    /// Chooses where an upload is decoded, or refuses it by its header. Those of many never are on the spot: together they
    /// take their time.
    pub(crate) fn place(&self, upload: &[u8], priority: Priority) -> Result<Executor, DecodeError> {
        // What is no image is refused at once.
        let Some(estimate) = Estimate::of(upload) else { return Ok(Executor::Inline) };
        if self.limits.max_pixels < estimate.pixels {
            return Err(DecodeError::TooLarge);
        }
        let is_within = |[pixels, work]: [u64; 2], bytes| {
            estimate.is_bounded
                && estimate.pixels <= pixels
                && estimate.work() <= work
                && upload.len() <= bytes
        };
        Ok(if priority == Priority::Interactive && is_within(INLINE, SMALL_UPLOAD) {
            Executor::Inline
        } else if is_within(THREAD, LONGEST_ON_THREAD) {
            Executor::Thread
        } else {
            self.lane_of(estimate.pixels)
        })
    }

    /// The first lane for so many pixels.
    fn lane_of(&self, pixels: u64) -> Executor {
        let fits = |lane: &Lane| pixels <= lane.max_pixels;
        Executor::Worker(self.lanes.iter().position(fits).unwrap_or(self.lanes.len() - 1))
    }

    /// Lets an upload of so many bytes into its lane, or refuses it before any work is done. Outside of the lanes there is
    /// nothing to ask for.
    pub(crate) fn admit(&self, place: Executor, bytes: usize) -> Result<Option<Admitted>, Limit> {
        let Executor::Worker(lane) = place else { return Ok(None) };
        let place = self.lanes[lane].admitted.try_enter(1).ok_or(Limit::Decodes)?;
        let upload = self.uploads.try_enter(bytes).ok_or(Limit::Decodes)?;
        Ok(Some(Admitted { _place: place, _upload: upload }))
    }

    /// The pixels that a model reads of an upload.
    pub(crate) async fn pixels(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        place: Executor,
        priority: Priority,
    ) -> Result<Pixels, DecodeError> {
        let planes = self.planes(model, upload, place, priority).await?;
        let preprocessing = &model.card.preprocessing;
        if planes.bytes().len() <= SMALL_PLANES {
            return Ok(preprocessing.pixels(&planes));
        }
        let model = model.clone();
        Ok(compute(move || model.card.preprocessing.pixels(&planes)).await)
    }

    /// What a model reads of an upload, as a PNG.
    pub(crate) async fn shown(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        place: Executor,
    ) -> Result<Vec<u8>, DecodeError> {
        let planes = self.planes(model, upload, place, Priority::Interactive).await?;
        let model = model.clone();
        Ok(compute(move || model.card.preprocessing.png(&planes)).await)
    }

    async fn planes(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        place: Executor,
        priority: Priority,
    ) -> Result<Planes, DecodeError> {
        let _share = match priority {
            Priority::Interactive => None,
            Priority::Bulk => Some(self.many.enter(1).await),
        };
        let decoded = match place {
            Executor::Inline => model.card.preprocessing.planes(&upload, &self.up_to(INLINE[0])),
            Executor::Thread => self.on_a_thread(model, upload.clone()).await,
            Executor::Worker(_) => Err(DecodeError::TooLarge),
        };
        let first = match (decoded, place) {
            (Err(DecodeError::TooLarge), Executor::Worker(lane)) => lane,
            // The decoder has read another header than the estimate.
            (Err(DecodeError::TooLarge), _) => 0,
            (decoded, _) => return self.counted(decoded),
        };
        for lane in &self.lanes[first..] {
            match self.by_a_worker(lane, model, &upload).await {
                Err(DecodeError::TooLarge) => {}
                decoded => return self.counted(decoded),
            }
        }
        Err(DecodeError::TooLarge)
    }

    async fn on_a_thread(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
    ) -> Result<Planes, DecodeError> {
        let turn = Turn(Some(&self.observer));
        let place = self.threads.enter(1).await;
        turn.came();
        let (model, limits) = (model.clone(), self.up_to(THREAD[0]));
        compute(move || {
            // A caller who leaves does not end this decode, so the place goes with it.
            let _place = place;
            model.card.preprocessing.planes(&upload, &limits)
        })
        .await
    }

    async fn by_a_worker(
        &self,
        lane: &Lane,
        model: &Description,
        upload: &Bytes,
    ) -> Result<Planes, DecodeError> {
        let turn = Turn(Some(&self.observer));
        let _place = lane.places.enter(1).await;
        turn.came();
        let limits = self.up_to(lane.max_pixels);
        self.pool.planes(&model.card.preprocessing, upload, limits, lane.allowance).await
    }

    fn counted(&self, decoded: Result<Planes, DecodeError>) -> Result<Planes, DecodeError> {
        if let Err(DecodeError::DecoderFailed(_)) = decoded {
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
