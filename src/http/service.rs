//! The state that all handlers share: the engine, the limits on requests and responses, and the metrics.

use std::sync::Arc;

use axum::http::request::Parts;
use tokio::time::Instant;

use super::connection::bodies::Bodies;
use super::connection::responses::UnsentResponses;
use super::error::{Cause, Fault, Problem};
use super::metrics::Metrics;
use crate::engine::Engine;
use crate::engine::admission::{Limit, SharedGate};
use crate::engine::batch::EmbedError;
use crate::engine::deployment::Deployment;
use crate::engine::pipeline::{ItemError, NotCompared, Refusal};
use crate::ops::settings::Settings;
use crate::ops::telemetry::{DropReports, RateLimiter};

/// The state of all handlers.
pub struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: SharedGate,
    pub(crate) bodies: Bodies,
    pub(crate) responses: Arc<UnsentResponses>,
    pub(crate) log_limits: LogLimits,
}

/// Rate limiters for log lines, and the reports of dropped ones. Rejected requests have their own, so they cannot crowd out failures.
#[derive(Default)]
pub(crate) struct LogLimits {
    pub(crate) failures: RateLimiter,
    pub(crate) refusals: RateLimiter,
    pub(crate) drops: DropReports,
}

impl Service {
    /// Creates the service for an engine; `metrics` must be the ones that observe it.
    pub fn new(engine: Arc<Engine>, metrics: Arc<Metrics>) -> Self {
        let server = &engine.settings().server;
        Self {
            requests: SharedGate::new(server.max_in_flight.get(), engine.sharers().clone()),
            bodies: Bodies::new(server, metrics.clone()),
            responses: UnsentResponses::new(server.max_unsent_bytes.get()),
            log_limits: LogLimits::default(),
            engine,
            metrics,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The settings that the server started with.
    pub fn settings(&self) -> &Settings {
        self.engine.settings()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Refuses a request to a model whose last self-test failed.
    pub(crate) fn trust(&self, deployment: &Deployment) -> Result<(), Fault> {
        let trusted = self.engine.readiness().trust(deployment);
        trusted.map_err(|why| Fault::NotReady(why.to_string()))
    }

    /// Runs engine work until the request's deadline; `names` are the paths of its sources, for error messages.
    pub(crate) async fn within<T, N: AsRef<str>>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, Refusal>>,
        names: &[N],
    ) -> Result<T, Problem> {
        // A timer fires up to a millisecond late, which is enough time for small images, so the deadline is checked
        // first.
        if deadline <= Instant::now() {
            return Err(Fault::DeadlineExceeded.into());
        }
        // Dropping the work here cancels it everywhere: its images are neither decoded nor run.
        match tokio::time::timeout_at(deadline, work).await {
            Ok(result) => result.map_err(|refusal| self.refusal(refusal, names)),
            Err(_) => Err(Fault::DeadlineExceeded.into()),
        }
    }

    /// The problem of a request beyond the server's capacity. Counts it for the limit.
    pub(crate) fn overloaded(&self, limit: Limit) -> Fault {
        self.metrics.overloaded(limit);
        let deployments = self.engine.deployments();
        let drain_times = deployments.iter().map(|deployment| deployment.batcher.drain_time());
        Fault::Overloaded {
            status: self.settings().server.overload_status.into(),
            retry_after: drain_times.max().unwrap_or_default(),
        }
    }

    /// Converts the engine's refusal to a problem; `names` are the paths of the request's sources.
    fn refusal<N: AsRef<str>>(&self, refusal: Refusal, names: &[N]) -> Problem {
        match refusal {
            Refusal::Overloaded(limit) => self.overloaded(limit).into(),
            Refusal::Item { at, error } => Fault::from(error).of(names[at].as_ref()),
            Refusal::NotCompared(why) => Fault::from(why).into(),
            Refusal::Model(EmbedError::Model(err)) => Fault::Internal(Cause::Model(err)).into(),
            Refusal::Model(EmbedError::Panicked) => Fault::Internal(Cause::ModelPanicked).into(),
            Refusal::Model(EmbedError::Stopped) => {
                Fault::NotReady("the model has stopped".to_owned()).into()
            }
        }
    }
}

/// The deployment that serves a request from admission to response, even if a swap happens meanwhile.
pub(crate) fn pinned(head: &Parts) -> Arc<Deployment> {
    head.extensions.get::<Arc<Deployment>>().expect("admission inserts the deployment").clone()
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
            ItemError::Map(err) => Self::Internal(Cause::Map(err)),
        }
    }
}

impl From<NotCompared> for Fault {
    fn from(why: NotCompared) -> Self {
        match why {
            NotCompared::NotAligned { .. } => Self::AlignmentFailed(why),
            NotCompared::CellTooSmall { .. } | NotCompared::CellTooLarge { .. } => {
                Self::QueryInvalid(why.to_string())
            }
            NotCompared::SizesDiffer { .. } => Self::SizesDiffer(why),
            NotCompared::Nothing => Self::NothingToCompare(why),
        }
    }
}
