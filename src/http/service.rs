//! What every handler shares: the engine, the room for requests and answers, and time.

use std::sync::Arc;

use axum::http::request::Parts;
use siamese_core::model::Description;
use tokio::time::Instant;

use super::connection::answers::Answers;
use super::connection::bodies::Bodies;
use super::error::{Cause, Fault, Problem};
use super::metrics::Metrics;
use crate::engine::Engine;
use crate::engine::admission::{Gate, Limit};
use crate::engine::batch::EmbedError;
use crate::engine::deployment::Deployment;
use crate::engine::pipeline::{ItemError, Refusal};
use crate::ops::settings::Settings;
use crate::ops::telemetry::Flood;

/// The state of all handlers.
pub struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: Gate,
    pub(crate) bodies: Bodies,
    pub(crate) answers: Arc<Answers>,
    pub(crate) floods: Floods,
}

/// How fast lines are written: refusals, however many, leave room for what failed.
#[derive(Default)]
pub(crate) struct Floods {
    pub(crate) failures: Flood,
    pub(crate) refusals: Flood,
}

impl Service {
    /// Puts an engine behind HTTP; `metrics` are those that it is observed by.
    pub fn new(engine: Arc<Engine>, metrics: Arc<Metrics>) -> Self {
        let server = &engine.settings().server;
        Self {
            requests: Gate::new(server.max_in_flight),
            bodies: Bodies::new(server, metrics.clone()),
            answers: Answers::new(server.max_answers_bytes.get()),
            floods: Floods::default(),
            engine,
            metrics,
        }
    }

    /// What answers requests.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        self.engine.settings()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What is known of the model in service.
    pub fn tower(&self) -> Arc<Description> {
        self.engine.deployment().tower.clone()
    }

    /// Has the engine work until the request's deadline; `names` are what to call its sources in a complaint.
    pub(crate) async fn within<T, N: AsRef<str>>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, Refusal>>,
        names: &[N],
    ) -> Result<T, Problem> {
        // A timer is late by a millisecond, in which a face is done.
        if deadline <= Instant::now() {
            return Err(Fault::DeadlineExceeded.into());
        }
        // What is dropped here is dropped everywhere: before its decode, and before its run.
        match tokio::time::timeout_at(deadline, work).await {
            Ok(done) => done.map_err(|refusal| self.refusal(refusal, names)),
            Err(_) => Err(Fault::DeadlineExceeded.into()),
        }
    }

    /// The refusal of a request beyond what the server can do, counted by its limit.
    pub(crate) fn overloaded(&self, limit: Limit) -> Fault {
        self.metrics.overloaded(limit);
        Fault::Overloaded {
            status: self.settings().server.overload_status.into(),
            retry_after: self.engine.deployment().batcher.drain_time(),
        }
    }

    /// The engine's refusal of a request whose sources have these names.
    fn refusal<N: AsRef<str>>(&self, refusal: Refusal, names: &[N]) -> Problem {
        match refusal {
            Refusal::Overloaded(limit) => self.overloaded(limit).into(),
            Refusal::Item { at, error } => Fault::from(error).of(names[at].as_ref()),
            Refusal::Model(EmbedError::Tower(err)) => Fault::Internal(Cause::Tower(err)).into(),
            Refusal::Model(EmbedError::Panicked) => Fault::Internal(Cause::TowerPanicked).into(),
            Refusal::Model(EmbedError::Stopped) => {
                Fault::NotReady("the tower has stopped".to_owned()).into()
            }
        }
    }
}

/// The model that a request is answered by, from its admission to its answer: a swap may come at any time.
pub(crate) fn pinned(head: &Parts) -> Arc<Deployment> {
    head.extensions.get::<Arc<Deployment>>().expect("what lets a request in pins a model").clone()
}

impl From<ItemError> for Fault {
    fn from(err: ItemError) -> Self {
        match err {
            ItemError::Image(err) => err.into(),
            ItemError::ModelMismatch(ours) => Self::ModelMismatch(ours),
            ItemError::Width { .. } | ItemError::Length(_) => {
                Self::EmbeddingInvalid(err.to_string())
            }
            ItemError::Output(err) => Self::Internal(Cause::Output(err)),
        }
    }
}
