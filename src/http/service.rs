//! What every handler shares: the state of the service, its tower in service, and time.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::http::HeaderMap;
use siamese_core::file::Looked;
use siamese_core::model::Description;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::connection::receiving::Receiving;
use super::error::{Cause, Fault, Problem};
use super::metrics::{Full, Judged, Metrics};
use super::middleware::exchange::Floods;
use super::middleware::untaken::Answers;
use super::request::body::Room;
use super::request::query;
use crate::engine::batch::EmbedError;
use crate::engine::decode::worker::{self, Pool};
use crate::engine::decode::{Decoder, Lane};
use crate::engine::deployment::{DeployError, Deployment};
use crate::engine::portions::Many;
use crate::engine::readiness::{NotReady, Readiness};
use crate::ops::settings::Settings;

/// The state of all handlers.
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) bodies: Room,
    pub(crate) receiving: Arc<Receiving>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) floods: Floods,
    pub(crate) many: Many,
    pub(crate) decoder: Decoder,
    current: RwLock<Arc<InService>>,
    /// The files that were looked at when a tower was last loaded. Locked for a copy.
    looked: Mutex<Looked>,
}

/// The tower in service, and the counters of its verdicts.
pub(crate) struct InService {
    deployment: Deployment,
    pub(crate) judged: Judged,
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
        let most = settings.server.max_in_flight.get().min(Semaphore::MAX_PERMITS);
        let in_flight = Arc::new(Semaphore::new(most));
        let bodies = Room::new(settings.server.max_bodies_bytes.get());
        let receiving = Receiving::new(settings.server.max_receiving.get());
        let answers = Answers::new(settings.server.max_answers_bytes.get());
        let pool = Pool::new(program, metrics.worker_observer());
        let memory = settings.server.max_bodies_bytes.get();
        let decoder = Decoder::new(&settings.picture, memory, pool, metrics.clone());
        let readiness = Readiness::new(settings.health.max_age());
        let current = RwLock::new(Arc::new(InService::new(deployment, &metrics)));
        let (floods, many) = (Floods::default(), Many::new(settings.tower.bulk_queue, most));
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
    pub(crate) fn lanes(&self) -> &[Lane] {
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
    pub(crate) fn in_service(&self) -> Arc<InService> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a balancer may send work.
    pub(crate) fn ready(&self) -> Result<(), NotReady> {
        self.readiness.check(&self.in_service())
    }

    /// When a request that came just now must have its answer.
    pub(crate) fn deadline(&self, headers: &HeaderMap) -> Result<Instant, Fault> {
        Ok(Instant::now() + query::deadline(headers, self.settings.server.deadline())?)
    }

    /// Does work until the request's deadline.
    pub(crate) async fn within<T>(
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

    /// The refusal of a request beyond what the server can do, counted by what is full.
    pub(crate) fn overloaded(&self, full: Full) -> Fault {
        self.metrics.overloaded(full);
        Fault::Overloaded {
            status: self.settings.server.overload_status.into(),
            retry_after: self.in_service().batcher.drain_time(),
        }
    }

    pub(crate) fn refusal(&self, err: EmbedError) -> Problem {
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
