//! What every handler shares: the way from sources to embeddings, within limits and time.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::future::join_all;
use siamese_core::file::Looked;
use siamese_core::model::{Description, Length};
use siamese_core::picture::Pixels;
use siamese_core::score::Embedding;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::aside::{SMALL, aside};
use super::body::Room;
use super::decode::{Decoder, Lane, Place};
use super::error::{Cause, Fault, Problem};
use super::exchange::Floods;
use super::many::Many;
use super::metrics::{Full, Judged, Metrics, Stage};
use super::query;
use super::receiving::Receiving;
use super::source::Source;
use super::untaken::Answers;
use crate::batch::{EmbedError, Places, Rank};
use crate::cache::{Claim, Found, Key};
use crate::deployment::{DeployError, Deployment};
use crate::readiness::{NotReady, Readiness};
use crate::settings::Settings;
use crate::worker::{self, Pool};

/// The state of all handlers.
pub struct Service {
    pub(super) settings: Settings,
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) in_flight: Semaphore,
    pub(super) bodies: Room,
    pub(super) receiving: Arc<Receiving>,
    pub(super) answers: Arc<Answers>,
    pub(super) floods: Floods,
    pub(super) many: Many,
    decoder: Decoder,
    current: RwLock<Arc<InService>>,
    /// The files that were looked at when a tower was last loaded. Locked for a copy.
    looked: Mutex<Looked>,
}

/// The tower in service, and the counters of its verdicts.
pub(super) struct InService {
    deployment: Deployment,
    pub(super) judged: Judged,
}

/// How long a request waits for embeddings that others are making of the same pictures. Then it makes them itself: theirs
/// may wait behind a decode that was made to be slow.
const OTHERS: Duration = Duration::from_millis(100);

/// How far from 1 the length of a stored embedding may be where the tower's are of unit length: half precision, or four
/// digits, are no further off.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Something to be embedded: what to call it in a complaint, and what it is; or why it is nothing.
pub(super) type Asked = Result<(String, Source), Problem>;

/// What is ready for the tower, in the order it was asked for.
pub(super) struct Work<'a> {
    pictures: Vec<Result<Ready<'a>, Problem>>,
    /// Room for those that were decoded.
    places: Option<Places>,
    rank: Rank,
}

/// A source as far as it is known before any decode.
enum Sorted<'a> {
    /// Stored by the client, or known from before.
    Embedding(Embedding),
    Upload {
        upload: Bytes,
        /// To keep its embedding, where others may ask for it too.
        claim: Option<Claim<'a>>,
        /// Where it is to be decoded.
        place: Place,
    },
}

/// A source that is ready for the tower, or needs none.
enum Ready<'a> {
    /// To be embedded and, where others may ask for it too, kept.
    Pixels(Pixels, Option<Claim<'a>>),
    /// Stored by the client, or known from before.
    Embedding(Embedding),
}

/// What the answer for a picture waits for.
enum Waiting<'a> {
    /// The tower; its embedding goes to others too who asked for it.
    Tower(Option<Claim<'a>>),
    Nothing(Embedding),
}

/// Where a request's time went, so far as it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// From sources to pixels.
    pub(super) decode: Duration,
    /// Waiting for the tower.
    pub(super) queue: Duration,
    /// The run it was part of.
    pub(super) tower: Duration,
}

impl Spent {
    /// Adds what a portion took. Portions overlap, so that together they may seem to take longer than the request.
    pub(super) fn add(&mut self, portion: Self) {
        self.decode += portion.decode;
        self.queue += portion.queue;
        self.tower += portion.tower;
    }
}

impl<'a> Work<'a> {
    /// The first problem, where there is any: what is of no use in part need not be run.
    pub(super) fn whole(self) -> Result<Self, Problem> {
        let pictures = self.pictures.into_iter().collect::<Result<Vec<Ready<'a>>, _>>()?;
        Ok(Self { pictures: pictures.into_iter().map(Ok).collect(), ..self })
    }
}

impl Service {
    /// Loads the tower that the settings name, and puts it into service.
    ///
    /// Takes a second or more: for a thread that may wait.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn start(settings: Settings) -> Result<Self, DeployError> {
        let metrics = Arc::new(Metrics::new());
        let mut looked = Looked::default();
        let deployment = Deployment::load(&settings, None, &mut looked, metrics.observer())?;
        let service = Self::new(settings, deployment, metrics, worker::this_program());
        Ok(Self { looked: Mutex::new(looked), ..service })
    }

    /// Puts the parts together; `program` is what is run as a worker.
    pub fn new(
        settings: Settings,
        deployment: Deployment,
        metrics: Arc<Metrics>,
        program: PathBuf,
    ) -> Self {
        let in_flight = Semaphore::new(settings.server.max_in_flight.get());
        let bodies = Room::new(settings.server.max_bodies_bytes.get());
        let receiving = Receiving::new(settings.server.max_receiving.get());
        let answers = Answers::new(settings.server.max_answers_bytes.get());
        let pool = Pool::new(program, metrics.worker_observer());
        let decoder = Decoder::new(&settings.picture, pool, metrics.clone());
        let readiness = Readiness::new(settings.health.max_age());
        let current = RwLock::new(Arc::new(InService::new(deployment, &metrics)));
        let (floods, many) = (Floods::default(), Many::new(settings.tower.bulk_queue));
        let looked = Mutex::default();
        Self {
            settings,
            readiness,
            metrics,
            in_flight,
            bodies,
            receiving,
            answers,
            floods,
            many,
            decoder,
            current,
            looked,
        }
    }

    /// Starts a process that decodes, so that the first upload need not wait for one; tells whether the system filters
    /// its calls.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn start_decoder(&self) -> io::Result<bool> {
        self.decoder.warm_up().await
    }

    /// The lanes in which costly pictures are decoded.
    pub(super) fn lanes(&self) -> &[Lane] {
        self.decoder.lanes()
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What tells whether work should be sent here, and is told of a stop.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What is known of the tower in service.
    pub fn tower(&self) -> Arc<Description> {
        self.in_service().tower.clone()
    }

    /// The files that were looked at when a tower was last loaded, whether it could be or not, and what stood there.
    pub fn looked(&self) -> Looked {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the tower's file as it is now, beside the tower in service, and puts it in its place: what is in flight
    /// ends with the old one, and what comes finds the new one. A tower that fails changes nothing.
    pub async fn swap(self: &Arc<Self>) -> Result<(), DeployError> {
        let service = self.clone();
        let load = move || {
            let before = service.in_service();
            let mut looked = service.looked();
            let observe = service.metrics.observer();
            let next = Deployment::load(&service.settings, Some(&before), &mut looked, observe);
            *service.looked.lock().unwrap_or_else(PoisonError::into_inner) = looked;
            next
        };
        let next = tokio::task::spawn_blocking(load).await.unwrap_or(Err(DeployError::Panicked));
        self.metrics.swapped(next.is_ok());
        let next = Arc::new(InService::new(next?, &self.metrics));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// The tower in service. Who works for a request asks once: a swap may come at any time.
    pub(super) fn in_service(&self) -> Arc<InService> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a balancer may send work.
    pub(super) fn ready(&self) -> Result<(), NotReady> {
        self.readiness.check(&self.in_service())
    }

    /// When a request that came just now must have its answer.
    pub(super) fn deadline(&self, headers: &HeaderMap) -> Result<Instant, Fault> {
        Ok(Instant::now() + query::deadline(headers, self.settings.server.deadline())?)
    }

    /// Does work until the request's deadline.
    pub(super) async fn within<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        // A timer is late by a millisecond, in which a face is done.
        if deadline <= Instant::now() {
            return Err(Fault::DeadlineExceeded.into());
        }
        // What is dropped here is dropped everywhere: before its decode, and before its run.
        tokio::time::timeout_at(deadline, work)
            .await
            .unwrap_or_else(|_| Err(Fault::DeadlineExceeded.into()))
    }

    /// Decodes pictures side by side and checks stored embeddings.
    ///
    /// A picture that is known from before is not decoded, and none is where there is no room for all; a portion of
    /// many, which was let in, waits for room. Costly pictures take room with the tower only once they are decoded, so
    /// that they never hold what cheap ones need.
    pub(super) async fn prepare<'a>(
        &self,
        on: &'a Deployment,
        asked: Vec<Asked>,
        rank: Rank,
        spent: &mut Spent,
    ) -> Result<Work<'a>, Problem> {
        let begun = Instant::now();
        let sources = self.sort(on, asked, rank).await;
        let uploads: Vec<Place> = sources.iter().filter_map(place).collect();
        let is_cheap = !uploads.iter().any(|place| matches!(place, Place::Worker(_)));
        let mut places = match rank {
            _ if uploads.is_empty() || !is_cheap => None,
            Rank::Few => Some(on.batcher.reserve(uploads.len()).map_err(|err| self.refusal(err))?),
            Rank::Many => Some(on.batcher.wait(uploads.len()).await),
        };
        let mut admitted = Vec::new();
        if rank == Rank::Few {
            for place in uploads {
                admitted.push(self.decoder.admit(place).map_err(|full| self.overloaded(full))?);
            }
        }
        let ready = sources.into_iter().map(|source| self.make_ready(&on.tower, source, rank));
        let pictures = join_all(ready).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        let decoded =
            pictures.iter().filter(|ready| matches!(ready, Ok(Ready::Pixels(..)))).count();
        if places.is_none() && 0 < decoded {
            places = Some(on.batcher.wait(decoded).await);
        }
        drop(admitted);
        Ok(Work { pictures, places, rank })
    }

    /// Finds out of each source what it needs: nothing more, or a decode, and where.
    async fn sort<'a>(
        &self,
        on: &'a Deployment,
        asked: Vec<Asked>,
        rank: Rank,
    ) -> Vec<Result<(String, Sorted<'a>), Problem>> {
        let found = self.look_up(on, &asked).await;
        let sort = |(asked, found): (Asked, Option<Found<'a>>)| {
            let (field, source) = asked?;
            let sorted = match (source, found) {
                (Source::Embedding(embedding, digest), _) => {
                    check(&on.tower, embedding, digest).map(Sorted::Embedding)
                }
                (Source::Upload(_), Some(Found::Known(embedding))) => {
                    Ok(Sorted::Embedding(embedding))
                }
                (Source::Upload(upload), found) => {
                    let claim = match found {
                        Some(Found::Claimed(claim)) => Some(claim),
                        _ => None,
                    };
                    let place = self.decoder.place(&upload, rank).map_err(Fault::from);
                    place.map(|place| Sorted::Upload { upload, claim, place })
                }
            };
            sorted.map(|sorted| (field.clone(), sorted)).map_err(|fault| fault.of(field))
        };
        asked.into_iter().zip(found).map(sort).collect()
    }

    /// A PNG of what the tower reads of an upload.
    pub(super) async fn show(&self, upload: Bytes, spent: &mut Spent) -> Result<Vec<u8>, Fault> {
        let begun = Instant::now();
        let shown = self.decoder.shown(&self.tower(), upload).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        shown
    }

    async fn make_ready<'a>(
        &self,
        tower: &Arc<Description>,
        source: Result<(String, Sorted<'a>), Problem>,
        rank: Rank,
    ) -> Result<Ready<'a>, Problem> {
        match source? {
            (_, Sorted::Embedding(embedding)) => Ok(Ready::Embedding(embedding)),
            (field, Sorted::Upload { upload, claim, place }) => {
                let pixels = self.decoder.pixels(tower, upload, place, rank).await;
                pixels.map(|pixels| Ready::Pixels(pixels, claim)).map_err(|fault| fault.of(field))
            }
        }
    }

    /// Asks the cache for each upload, in ascending order of keys, as claims want it.
    ///
    /// Of equal uploads only the first is asked for: the second would wait for the first's claim. What others are at for
    /// too long is not waited for.
    async fn look_up<'a>(&self, on: &'a Deployment, asked: &[Asked]) -> Vec<Option<Found<'a>>> {
        let mut found: Vec<Option<Found>> = asked.iter().map(|_| None).collect();
        let Some(cache) = &on.cache else { return found };
        let mut keys = Vec::with_capacity(asked.len());
        for (at, asked) in asked.iter().enumerate() {
            if let Ok((_, Source::Upload(upload))) = asked {
                keys.push((key(upload).await, at));
            }
        }
        keys.sort_unstable();
        keys.dedup_by_key(|(key, _)| *key);
        let patience = Instant::now() + OTHERS;
        for (key, at) in keys {
            let looked = tokio::time::timeout_at(patience, cache.look(key)).await.ok();
            self.metrics.lookup(matches!(looked, Some(Found::Known(_))));
            found[at] = looked;
        }
        found
    }

    /// Takes what is ready through the tower, all of it in one run; one outcome each, in order.
    pub(super) async fn embed(
        &self,
        work: Work<'_>,
        spent: &mut Spent,
    ) -> Result<Vec<Result<Embedding, Problem>>, Problem> {
        let mut pixels = Vec::with_capacity(work.pictures.len());
        let waiting: Vec<Result<Waiting, Problem>> = work
            .pictures
            .into_iter()
            .map(|it| match it? {
                Ready::Pixels(picture, claim) => {
                    pixels.push(picture);
                    Ok(Waiting::Tower(claim))
                }
                Ready::Embedding(embedding) => Ok(Waiting::Nothing(embedding)),
            })
            .collect();
        let mut fresh = Vec::new().into_iter();
        if let Some(places) = work.places.filter(|_| !pixels.is_empty()) {
            let answer = places.embed(pixels, work.rank).await.map_err(|err| self.refusal(err))?;
            (spent.queue, spent.tower) = (answer.queue, answer.tower);
            self.metrics.stage(Stage::Queue, answer.queue);
            self.metrics.stage(Stage::Tower, answer.tower);
            fresh = answer.embedded.into_iter();
        }
        let outcomes = waiting.into_iter().map(|waiting| match waiting? {
            Waiting::Nothing(embedding) => Ok(embedding),
            Waiting::Tower(claim) => {
                let embedding = fresh
                    .next()
                    .expect("the tower answers for each picture")
                    .map_err(|err| Fault::Internal(Cause::Output(err)))?;
                if let Some(claim) = claim {
                    claim.fulfil(embedding.clone());
                }
                Ok(embedding)
            }
        });
        Ok(outcomes.collect())
    }

    /// The refusal of a request beyond what the server can do, counted by what is full.
    pub(super) fn overloaded(&self, full: Full) -> Fault {
        self.metrics.overloaded(full);
        Fault::Overloaded {
            status: self.settings.server.overload_status.into(),
            retry_after: self.in_service().batcher.drain_time(),
        }
    }

    fn refusal(&self, err: EmbedError) -> Problem {
        match err {
            EmbedError::Overloaded => self.overloaded(Full::Places),
            EmbedError::Tower(err) => Fault::Internal(Cause::Tower(err)),
            EmbedError::Panicked => Fault::Internal(Cause::TowerPanicked),
            EmbedError::Stopped => Fault::NotReady("the tower has stopped".to_owned()),
        }
        .into()
    }
}

impl InService {
    fn new(deployment: Deployment, metrics: &Metrics) -> Self {
        let judged = metrics.judged(&deployment.tower.digest);
        Self { deployment, judged }
    }
}

impl Deref for InService {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

/// Checks that a stored embedding can be one of this tower's.
fn check(
    tower: &Description,
    embedding: Embedding,
    digest: Option<String>,
) -> Result<Embedding, Fault> {
    let Description { digest: ours, width, .. } = tower;
    if digest.is_some_and(|it| it != *ours) {
        return Err(Fault::ModelMismatch(ours.clone()));
    }
    if embedding.width() != *width {
        let found = embedding.width();
        let why = format!("the embedding has {found} numbers, this tower's have {width}");
        return Err(Fault::EmbeddingInvalid(why));
    }
    let length = embedding.length();
    if tower.card.length == Length::Unit && UNIT_TOLERANCE < (length - 1.0).abs() {
        let why =
            format!("the length of this tower's embeddings is 1, and this one's is {length:.4}");
        return Err(Fault::EmbeddingInvalid(why));
    }
    Ok(embedding)
}

/// Where a source is decoded, where it is.
fn place(source: &Result<(String, Sorted), Problem>) -> Option<Place> {
    match source {
        Ok((_, Sorted::Upload { place, .. })) => Some(*place),
        _ => None,
    }
}

/// The key of an upload.
async fn key(upload: &Bytes) -> Key {
    if upload.len() <= SMALL {
        return Key::of(upload);
    }
    let upload = upload.clone();
    aside(move || Key::of(&upload)).await
}
