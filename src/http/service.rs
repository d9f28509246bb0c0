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
}

/// A source that is ready for the tower, or needs none.
pub(super) enum Ready {
    Pixels(Pixels),
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
        Self { settings, tower, batcher, readiness, metrics, in_flight, decodes }
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
    pub(super) async fn prepare(
        &self,
        sources: Vec<(String, Source)>,
        spent: &mut Spent,
    ) -> Vec<Result<Ready, Problem>> {
        let begun = Instant::now();
        let outcomes = join_all(sources.into_iter().map(async |(field, source)| {
            let outcome = match source {
                Source::Upload(upload) => self.decode(upload).await.map(Ready::Pixels),
                Source::Embedding(embedding, digest) => {
                    self.check(embedding, digest).map(Ready::Embedding)
                }
            };
            outcome.map_err(|fault| fault.of(field))
        }))
        .await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        outcomes
    }

    /// Takes what is ready through the tower, all of it in one run; one outcome each, in order.
    pub(super) async fn embed(
        &self,
        ready: Vec<Ready>,
        spent: &mut Spent,
    ) -> Result<Vec<Result<Embedding, Problem>>, Problem> {
        let mut pixels = Vec::with_capacity(ready.len());
        let stored: Vec<Option<Embedding>> = ready
            .into_iter()
            .map(|it| match it {
                Ready::Pixels(picture) => {
                    pixels.push(picture);
                    None
                }
                Ready::Embedding(embedding) => Some(embedding),
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
        let outcomes = stored.into_iter().map(|stored| match stored {
            Some(embedding) => Ok(embedding),
            None => fresh
                .next()
                .expect("the tower answers for each picture")
                .map_err(|err| Fault::Internal(Cause::Output(err)).into()),
        });
        Ok(outcomes.collect())
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
