//! Decodes images to planes: small ones inline, medium ones on threads, and costly ones in worker processes.
//!
//! The upload's header determines where it is decoded. Nothing can stop a decode that runs inline or on a thread. Only
//! formats whose cost the header bounds are decoded there, and only as many pixels as take a few milliseconds. All
//! others go to workers, in lanes by size. An image never waits behind a larger one, and never takes the place of a
//! smaller one.

mod searches;
pub mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use siamese_core::model::{Choice, Description, Face, Finer, Finished, Input};
use siamese_core::preprocessing::{
    DecodeError, Decoded, Decoding, Detail, Estimate, Limits, Photograph, Planes,
};
use tokio::time::Instant;

use super::admission::{Limit, Share, SharedGate, Sharers, Turns};
use super::batch::Priority;
use super::{Event, Observer};
use crate::ops::blocking::{SMALL as SMALL_UPLOAD, compute};
use crate::ops::settings::{Decode, ImageSettings};
use worker::{Allowance, Pool};

pub(crate) use searches::Searches;

/// The most that is decoded inline: pixels, and pixels times passes. A baseline JPEG of that size takes some 0.2 ms, a
/// few times the cost of a thread switch.
const INLINE: [u64; 2] = [32 << 10, 128 << 10];

/// The most that is decoded on a thread: pixels, and pixels times passes. It bounds the time that a thread is
/// occupied.
const THREAD: [u64; 2] = [2_000_000, 8_000_000];

/// The longest upload that is decoded on a thread, in bytes. Skipped parts of a file take time too.
const LONGEST_ON_THREAD: usize = 1 << 20;

/// The most pixels in each lane of workers except the last, whose limit is that of the settings.
const LANES: [u64; 2] = [2_000_000, 16_000_000];

/// Planes of more bytes than this are scaled off the async threads.
const SMALL_PLANES: usize = 128 << 10;

/// Decodes uploads.
pub(crate) struct Decoder {
    limits: Limits,
    decode: Decode,
    threads: Turns,
    lanes: Vec<Lane>,
    pool: Pool,
    /// The bytes of uploads in lanes. The rest of the bytes for all bodies is for other requests.
    uploads: SharedGate,
    /// Photographs that are aligned, or searched for small faces, which takes long. The other threads are for photographs
    /// in which a face is seen at once.
    searches: Turns,
    /// Bulk images on a thread or in a lane.
    bulk: Turns,
    observer: Observer,
}

/// Workers for images up to a size.
pub struct Lane {
    pub(crate) max_pixels: u64,
    /// The limits of one decode.
    pub(crate) allowance: Allowance,
    places: Turns,
    /// Images that are being decoded, wait for a worker, or wait for the model afterwards.
    admitted: SharedGate,
}

/// Where an upload is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executor {
    /// In the calling task.
    Inline,
    /// On a thread for blocking work.
    Thread,
    /// In a worker of the lane with this index, or in a later lane if the header stated too little.
    Worker(usize),
}

/// An image that waits for its turn. If it is dropped before, an event is sent.
struct Waiting<'a>(Option<&'a Observer>);

/// The admission of one image to a lane.
pub(crate) struct Admitted {
    _place: Share,
    _upload: Share,
}

impl Decoder {
    /// Creates a decoder. Uploads in lanes may use three quarters of `bodies`, the bytes for all bodies.
    pub(crate) fn new(
        settings: &ImageSettings,
        bodies: usize,
        pool: Pool,
        sharers: Sharers,
        observer: Observer,
    ) -> Self {
        let limits = settings.limits();
        let sizes = LANES.into_iter().filter(|pixels| *pixels < limits.max_pixels);
        let lanes = sizes.chain([limits.max_pixels]).map(|max_pixels| Lane {
            max_pixels,
            allowance: Allowance::from(settings).share(max_pixels, limits.max_pixels),
            places: Turns::new(settings.decodes(max_pixels)),
            admitted: SharedGate::new(settings.queue.get(), sharers.clone()),
        });
        let threads = Turns::new(settings.decodes(THREAD[0]));
        let half = settings.decodes(0).get() / 2;
        let half = || Turns::new(NonZeroUsize::new(half).unwrap_or(NonZeroUsize::MIN));
        let (bulk, searches) = (half(), half());
        let uploads = SharedGate::new(bodies / 4 * 3, sharers.clone());
        let decode = settings.decode;
        Self {
            limits,
            decode,
            threads,
            lanes: lanes.collect(),
            pool,
            uploads,
            searches,
            bulk,
            observer,
        }
    }

    /// The lanes of workers, from small images to large ones.
    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Starts a worker in advance. Returns whether the system filters its calls.
    pub(crate) async fn warm_up(&self) -> std::io::Result<bool> {
        self.pool.warm_up().await
    }

    /// Counts workers that ended while idle.
    pub(crate) fn reap(&self) {
        self.pool.reap();
    }

    /// Chooses where an upload is decoded, or refuses it by its header. Bulk images are never decoded inline, because
    /// together they take long.
    pub(crate) fn choose_executor(
        &self,
        upload: &[u8],
        priority: Priority,
    ) -> Result<Executor, DecodeError> {
        // A decoder refuses an unknown format at once.
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

    /// The first lane for this number of pixels.
    fn lane_of(&self, pixels: u64) -> Executor {
        let fits = |lane: &Lane| pixels <= lane.max_pixels;
        Executor::Worker(self.lanes.iter().position(fits).unwrap_or(self.lanes.len() - 1))
    }

    /// Admits an upload of `bytes` bytes to its lane, or refuses it before any work is done. Inline and on threads no
    /// admission is needed.
    pub(crate) fn admit(
        &self,
        model: &Description,
        executor: Executor,
        bytes: usize,
    ) -> Result<Option<Admitted>, Limit> {
        let Executor::Worker(lane) = executor else { return Ok(None) };
        let place = self.lanes[lane].admitted.try_enter(&model.digest, 1).ok_or(Limit::Decodes)?;
        let upload = self.uploads.try_enter(&model.digest, bytes).ok_or(Limit::Decodes)?;
        Ok(Some(Admitted { _place: place, _upload: upload }))
    }

    /// The model's input for an upload.
    pub(crate) async fn pixels(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        executor: Executor,
        priority: Priority,
        choice: Choice,
        searches: &Searches,
    ) -> Result<Input, DecodeError> {
        let (planes, face) =
            self.planes(model, upload, executor, priority, choice, searches).await?;
        if planes.bytes().len() <= SMALL_PLANES {
            return Ok(Input::of(model, &planes, face));
        }
        let model = model.clone();
        Ok(compute(move || Input::of(&model, &planes, face)).await)
    }

    /// The model's input for an upload, as a PNG.
    pub(crate) async fn png(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        executor: Executor,
        choice: Choice,
        searches: &Searches,
    ) -> Result<Vec<u8>, DecodeError> {
        let priority = Priority::Interactive;
        let (planes, _) = self.planes(model, upload, executor, priority, choice, searches).await?;
        let model = model.clone();
        Ok(compute(move || model.card.preprocessing.png(&planes)).await)
    }

    /// All faces of an upload: the one that is embedded, then the others, the largest first.
    pub(crate) async fn faces(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        executor: Executor,
        searches: &Searches,
    ) -> Result<(Photograph, Vec<Face>), DecodeError> {
        let priority = Priority::Interactive;
        let (bytes, choice) = (upload.clone(), Choice::Largest);
        let first = match self.planes(model, bytes, executor, priority, choice, searches).await {
            Ok((_, face)) => face,
            Err(DecodeError::FaceNotFound) => None,
            Err(err) => return Err(err),
        };
        let decoding = Decoding::Photograph(Detail::Fine);
        let decoded = self.decoded(model, decoding, upload, executor).await?;
        let Decoded::Photograph(photograph) = decoded else {
            return Err(DecodeError::FaceNotFound);
        };
        let described = model.clone();
        let search = move || {
            let faces = described.preprocessor.detect(&photograph, first).unwrap_or(Ok(Vec::new()));
            faces.map(|faces| (photograph, faces))
        };
        let begun = Instant::now();
        let found = in_turn(&self.searches, &model.digest, search).await;
        searches.took(begun.elapsed());
        self.counted(found)
    }

    /// A photograph with all the detail that it can hold.
    pub(crate) async fn photograph(
        &self,
        model: &Description,
        upload: Bytes,
        executor: Executor,
    ) -> Result<Photograph, DecodeError> {
        let decoding = Decoding::Photograph(Detail::Full);
        match self.decoded(model, decoding, upload, executor).await? {
            Decoded::Photograph(photograph) => Ok(photograph),
            Decoded::Planes(_) => unreachable!("the result is of the kind that was asked for"),
        }
    }

    /// Works on a thread for a long time, in turn with the searches for small faces.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        model: &Description,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        in_turn(&self.searches, &model.digest, work).await
    }

    /// Planes of the model's input for an upload, and the face on them.
    async fn planes(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        executor: Executor,
        priority: Priority,
        choice: Choice,
        searches: &Searches,
    ) -> Result<(Planes, Option<Face>), DecodeError> {
        let _share = match priority {
            Priority::Interactive => None,
            Priority::Bulk => Some(self.bulk.enter(&model.digest).await),
        };
        let (mut finer, mut search) = (None, Duration::ZERO);
        loop {
            let finished = self.finished(model, upload.clone(), executor, choice, finer).await?;
            let (finished, took) = finished;
            if model.preprocessor.aligns() {
                search += took;
                searches.took(search);
            }
            match self.counted(finished)? {
                Finished::Planes(planes, face) => return Ok((planes, face)),
                Finished::Finer(next) => finer = Some(next),
            }
        }
    }

    /// Decodes an upload and turns it into planes, which takes the time that is returned too. What is decoded on a thread is
    /// also searched there, while the photograph is in the caches of its core.
    async fn finished(
        &self,
        model: &Arc<Description>,
        upload: Bytes,
        executor: Executor,
        choice: Choice,
        finer: Option<Finer>,
    ) -> Result<(Result<Finished, DecodeError>, Duration), DecodeError> {
        let decoding = match (self.decode, model.preprocessor.decoding(finer)) {
            (Decode::Exact, decoding) => decoding.in_full(),
            (Decode::Fast, decoding) => decoding,
        };
        let described = model.clone();
        let finish = move |decoded| {
            let begun = Instant::now();
            let finished = described.preprocessor.finish(decoded, choice, finer);
            (finished, begun.elapsed())
        };
        if executor == Executor::Thread && finer.is_none() {
            match self.on_a_thread(model, decoding.clone(), upload.clone(), finish.clone()).await {
                Err(DecodeError::TooLarge) => {}
                finished => return self.counted(finished),
            }
        }
        match self.decoded(model, decoding, upload, executor).await? {
            planes @ Decoded::Planes(_) => Ok(finish(planes)),
            photograph @ Decoded::Photograph(_) => {
                let turns = if finer.is_some() { &self.searches } else { &self.threads };
                Ok(in_turn(turns, &model.digest, move || finish(photograph)).await)
            }
        }
    }

    async fn decoded(
        &self,
        model: &Description,
        decoding: Decoding,
        upload: Bytes,
        executor: Executor,
    ) -> Result<Decoded, DecodeError> {
        let decoded = match executor {
            Executor::Inline => decoding.decode(&upload, &self.up_to(INLINE[0])),
            Executor::Thread => {
                self.on_a_thread(model, decoding.clone(), upload.clone(), |decoded| decoded).await
            }
            Executor::Worker(_) => Err(DecodeError::TooLarge),
        };
        let first = match (decoded, executor) {
            (Err(DecodeError::TooLarge), Executor::Worker(lane)) => lane,
            // The decoder read another header than the estimate did.
            (Err(DecodeError::TooLarge), _) => 0,
            (decoded, _) => return self.counted(decoded),
        };
        for lane in &self.lanes[first..] {
            match self.by_a_worker(model, lane, decoding.clone(), &upload).await {
                Err(DecodeError::TooLarge) => {}
                decoded => return self.counted(decoded),
            }
        }
        Err(DecodeError::TooLarge)
    }

    /// Decodes on a thread, and works on the result there.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        model: &Description,
        decoding: Decoding,
        upload: Bytes,
        then: impl FnOnce(Decoded) -> T + Send + 'static,
    ) -> Result<T, DecodeError> {
        let waiting = Waiting(Some(&self.observer));
        let place = self.threads.enter(&model.digest).await;
        waiting.began();
        let limits = self.up_to(THREAD[0]);
        compute(move || {
            // The decode continues if its caller leaves, so it keeps the place.
            let _place = place;
            decoding.decode(&upload, &limits).map(then)
        })
        .await
    }

    async fn by_a_worker(
        &self,
        model: &Description,
        lane: &Lane,
        decoding: Decoding,
        upload: &Bytes,
    ) -> Result<Decoded, DecodeError> {
        let waiting = Waiting(Some(&self.observer));
        let _place = lane.places.enter(&model.digest).await;
        waiting.began();
        let limits = self.up_to(lane.max_pixels);
        self.pool.decode(decoding, upload, limits, lane.allowance).await
    }

    fn counted<T>(&self, decoded: Result<T, DecodeError>) -> Result<T, DecodeError> {
        if let Err(DecodeError::DecoderFailed(_)) = decoded {
            (self.observer)(Event::DecoderFailed);
        }
        decoded
    }

    fn up_to(&self, max_pixels: u64) -> Limits {
        Limits { max_pixels: max_pixels.min(self.limits.max_pixels), ..self.limits }
    }
}

/// Works on a thread in turn with others, for the model with this digest.
async fn in_turn<T: Send + 'static>(
    turns: &Turns,
    digest: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let place = turns.enter(digest).await;
    compute(move || {
        let _place = place;
        work()
    })
    .await
}

impl Lane {
    /// The number of concurrent decodes.
    pub(crate) fn decodes(&self) -> usize {
        self.places.most()
    }
}

impl Waiting<'_> {
    fn began(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(observer) = self.0 {
            observer(Event::NotDecoded);
        }
    }
}
