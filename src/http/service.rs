//! What every handler shares: the way from sources to embeddings, within limits and time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::aside::{SMALL, aside};
use super::body::Room;
use super::decode::Decoder;
use super::error::{Cause, Fault, Problem};
use super::metrics::{Full, Judged, Metrics, Stage};
use super::query;
use super::source::Source;
use crate::batch::{Batcher, EmbedError, Places};
use crate::cache::{Cache, Claim, Found, Key};
use crate::model::Description;
use crate::picture::Pixels;
use crate::readiness::Readiness;
use crate::score::Embedding;
use crate::settings::Settings;

/// The state of all handlers.
pub struct Service {
    pub(super) settings: Settings,
    pub(super) tower: Arc<Description>,
    pub(super) batcher: Batcher,
    pub(super) readiness: Arc<Readiness>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) judged: Judged,
    pub(super) in_flight: Semaphore,
    pub(super) bodies: Room,
    decoder: Decoder,
    cache: Option<Cache>,
}

/// Something to be embedded: what to call it in a complaint, and what it is; or why it is nothing.
pub(super) type Asked = Result<(String, Source), Problem>;

/// What is ready for the tower, in the order it was asked for.
pub(super) struct Work<'a> {
    pictures: Vec<Result<Ready<'a>, Problem>>,
    /// Room for those that were decoded.
    places: Option<Places>,
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

impl<'a> Work<'a> {
    /// The first problem, where there is any: what is of no use in part need not be run.
    pub(super) fn whole(self) -> Result<Self, Problem> {
        let pictures = self.pictures.into_iter().collect::<Result<Vec<Ready<'a>>, _>>()?;
        Ok(Self { pictures: pictures.into_iter().map(Ok).collect(), ..self })
    }
}

impl Service {
    /// Puts the parts together.
    pub fn new(
        settings: Settings,
        tower: Arc<Description>,
        batcher: Batcher,
        readiness: Arc<Readiness>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let in_flight = Semaphore::new(settings.server.max_in_flight.get());
        let bodies = Room::new(settings.server.max_bodies_bytes);
        let decoder = Decoder::new(&settings.picture, tower.clone(), metrics.clone());
        let cache = Some(settings.cache.max_bytes).filter(|it| 0 < *it).map(Cache::new);
        let judged = metrics.judged(&tower.digest);
        Self {
            settings,
            tower,
            batcher,
            readiness,
            metrics,
            judged,
            in_flight,
            bodies,
            decoder,
            cache,
        }
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
    /// A picture that is known from before is not decoded, and none is where there is no room for all.
    pub(super) async fn prepare(
        &self,
        asked: Vec<Asked>,
        spent: &mut Spent,
    ) -> Result<Work<'_>, Problem> {
        let begun = Instant::now();
        let found = self.look_up(&asked).await;
        let unknown = |(asked, found): &(&Asked, &Option<Found>)| {
            matches!(asked, Ok((_, Source::Upload(_)))) && !matches!(found, Some(Found::Known(_)))
        };
        let unknown = asked.iter().zip(&found).filter(unknown).count();
        let places = match unknown {
            0 => None,
            _ => Some(self.batcher.reserve(unknown).map_err(|it| self.refusal(it))?),
        };
        let ready = asked.into_iter().zip(found).map(|(asked, it)| self.ready(asked, it, unknown));
        let pictures = join_all(ready).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        Ok(Work { pictures, places })
    }

    async fn ready<'a>(
        &self,
        asked: Asked,
        found: Option<Found<'a>>,
        unknown: usize,
    ) -> Result<Ready<'a>, Problem> {
        let (field, source) = asked?;
        let outcome = match (source, found) {
            (Source::Embedding(embedding, digest), _) => {
                self.check(embedding, digest).map(Ready::Embedding)
            }
            (Source::Upload(_), Some(Found::Known(embedding))) => Ok(Ready::Embedding(embedding)),
            (Source::Upload(upload), Some(Found::Claimed(claim))) => {
                self.decoder.pixels(upload, unknown).await.map(|it| Ready::Pixels(it, Some(claim)))
            }
            (Source::Upload(upload), None) => {
                self.decoder.pixels(upload, unknown).await.map(|it| Ready::Pixels(it, None))
            }
        };
        outcome.map_err(|fault| fault.of(field))
    }

    /// Asks the cache for each upload, in ascending order of keys, as claims want it.
    ///
    /// Of equal uploads only the first is asked for: the second would wait for the first's claim.
    async fn look_up(&self, asked: &[Asked]) -> Vec<Option<Found<'_>>> {
        let mut found: Vec<Option<Found>> = asked.iter().map(|_| None).collect();
        let Some(cache) = &self.cache else { return found };
        let mut keys = Vec::with_capacity(asked.len());
        for (at, asked) in asked.iter().enumerate() {
            if let Ok((_, Source::Upload(upload))) = asked {
                keys.push((key(upload).await, at));
            }
        }
        keys.sort_unstable();
        keys.dedup_by_key(|(key, _)| *key);
        for (key, at) in keys {
            let looked = cache.look(key).await;
            self.metrics.lookup(matches!(looked, Found::Known(_)));
            found[at] = Some(looked);
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
            let answer = places.embed(pixels).await.map_err(|err| self.refusal(err))?;
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

    /// How many bytes of embeddings are kept.
    pub(super) fn cached_bytes(&self) -> u64 {
        self.cache.as_ref().map_or(0, Cache::bytes)
    }

    /// The refusal of a request beyond what the server can do, counted by what is full.
    pub(super) fn overloaded(&self, full: Full) -> Fault {
        self.metrics.overloaded(full);
        Fault::Overloaded {
            status: self.settings.server.overload_status.into(),
            retry_after: self.batcher.drain_time(),
        }
    }

    fn check(&self, embedding: Embedding, digest: Option<String>) -> Result<Embedding, Fault> {
        let Description { digest: ours, width, .. } = self.tower.as_ref();
        if digest.is_some_and(|it| it != *ours) {
            return Err(Fault::ModelMismatch(ours.clone()));
        }
        if embedding.width() != *width {
            let found = embedding.width();
            let why = format!("the embedding has {found} numbers, this tower's have {width}");
            return Err(Fault::EmbeddingInvalid(why));
        }
        Ok(embedding)
    }

    fn refusal(&self, err: EmbedError) -> Problem {
        match err {
            EmbedError::Overloaded => self.overloaded(Full::Places),
            EmbedError::Tower(err) => Fault::Internal(Cause::Tower(err)),
            EmbedError::Panicked => Fault::Internal(Cause::TowerPanicked),
            EmbedError::Stopped => Fault::Internal(Cause::TowerStopped),
        }
        .into()
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
