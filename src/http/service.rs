//! What every handler shares: the way from sources to embeddings, within limits and time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::error::{Cause, Fault, Problem};
use super::metrics::{Metrics, Stage};
use super::source::Source;
use crate::batch::{Batcher, EmbedError};
use crate::cache::{Cache, Claim, Found, Key};
use crate::model::Description;
use crate::picture::{self, Pixels};
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
    pub(super) in_flight: Semaphore,
    decodes: Arc<Semaphore>,
    cache: Option<Cache>,
}

/// A source that is ready for the tower, or needs none.
pub(super) enum Ready<'a> {
    /// To be embedded and, where others may ask for it too, kept.
    Pixels(Pixels, Option<Claim<'a>>),
    /// Stored by the client, or known from before.
    Embedding(Embedding),
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
        let decodes = Arc::new(Semaphore::new(settings.picture.decodes()));
        let cache = Some(settings.cache.max_bytes).filter(|it| 0 < *it).map(Cache::new);
        Self { settings, tower, batcher, readiness, metrics, in_flight, decodes, cache }
    }

    /// Does work until the request's deadline.
    pub(super) async fn within<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        // What is dropped here is dropped everywhere: before its decode, and before its run.
        tokio::time::timeout(deadline, work)
            .await
            .unwrap_or_else(|_| Err(Fault::DeadlineExceeded.into()))
    }

    /// Decodes pictures side by side and checks stored embeddings; one outcome each, in order.
    ///
    /// A picture that is known from before is not decoded.
    pub(super) async fn prepare(
        &self,
        sources: Vec<(String, Source)>,
        spent: &mut Spent,
    ) -> Vec<Result<Ready<'_>, Problem>> {
        let begun = Instant::now();
        let found = self.look_up(&sources).await;
        let prepare = async |((field, source), found)| {
            let outcome = match (source, found) {
                (Source::Embedding(embedding, digest), _) => {
                    self.check(embedding, digest).map(Ready::Embedding)
                }
                (Source::Upload(_), Some(Found::Known(embedding))) => {
                    Ok(Ready::Embedding(embedding))
                }
                (Source::Upload(upload), Some(Found::Claimed(claim))) => {
                    self.decode(upload).await.map(|it| Ready::Pixels(it, Some(claim)))
                }
                (Source::Upload(upload), None) => {
                    self.decode(upload).await.map(|it| Ready::Pixels(it, None))
                }
            };
            outcome.map_err(|fault: Fault| fault.of(field))
        };
        let outcomes = join_all(sources.into_iter().zip(found).map(prepare)).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        outcomes
    }

    /// Asks the cache for each upload, in ascending order of keys, as claims want it.
    ///
    /// Of equal uploads only the first is asked for: the second would wait for the first's claim.
    async fn look_up(&self, sources: &[(String, Source)]) -> Vec<Option<Found<'_>>> {
        let mut found: Vec<Option<Found>> = sources.iter().map(|_| None).collect();
        let Some(cache) = &self.cache else { return found };
        let mut keys = Vec::with_capacity(sources.len());
        for (at, (_, source)) in sources.iter().enumerate() {
            if let Source::Upload(upload) = source {
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
        ready: Vec<Ready<'_>>,
        spent: &mut Spent,
    ) -> Result<Vec<Result<Embedding, Problem>>, Problem> {
        let mut pixels = Vec::with_capacity(ready.len());
        let waiting: Vec<Result<Embedding, Option<Claim>>> = ready
            .into_iter()
            .map(|it| match it {
                Ready::Pixels(picture, claim) => {
                    pixels.push(picture);
                    Err(claim)
                }
                Ready::Embedding(embedding) => Ok(embedding),
            })
            .collect();
        let mut fresh = Vec::new().into_iter();
        if !pixels.is_empty() {
            let answer = self.batcher.embed(pixels).await.map_err(|err| self.refusal(err))?;
            (spent.queue, spent.tower) = (answer.queue, answer.tower);
            self.metrics.stage(Stage::Queue, answer.queue);
            self.metrics.stage(Stage::Tower, answer.tower);
            fresh = answer.embedded.into_iter();
        }
        let outcomes = waiting.into_iter().map(|waiting| match waiting {
            Ok(embedding) => Ok(embedding),
            Err(claim) => {
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

    /// The refusal of a request beyond what the server can do.
    pub(super) fn overloaded(&self) -> Fault {
        Fault::Overloaded {
            status: self.settings.server.overload_status.into(),
            retry_after: self.batcher.drain_time(),
        }
    }

    async fn decode(&self, upload: Bytes) -> Result<Pixels, Fault> {
        let permit = self.decodes.clone().acquire_owned().await.expect("never closed");
        let (tower, limits) = (self.tower.clone(), self.settings.picture.limits());
        let decoding = tokio::task::spawn_blocking(move || {
            // A caller who leaves does not end a decode, so the permit goes with it.
            let _permit = permit;
            let picture = picture::decode(&upload, &limits)?;
            tower.card.preparation.prepare(&picture)
        });
        match decoding.await {
            Ok(pixels) => Ok(pixels?),
            Err(err) => Err(Fault::Internal(Cause::Panicked(err.to_string()))),
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
            EmbedError::Overloaded => self.overloaded(),
            EmbedError::Tower(err) => Fault::Internal(Cause::Tower(err)),
            EmbedError::Panicked => Fault::Internal(Cause::TowerPanicked),
            EmbedError::Stopped => Fault::Internal(Cause::TowerStopped),
        }
        .into()
    }
}

/// The key of an upload; a large one is digested off the async threads.
async fn key(upload: &Bytes) -> Key {
    /// Some 50 µs of digesting.
    const SMALL: usize = 1 << 16;
    if upload.len() <= SMALL {
        return Key::of(upload);
    }
    let upload = upload.clone();
    tokio::task::spawn_blocking(move || Key::of(&upload)).await.expect("a digest does not panic")
}
