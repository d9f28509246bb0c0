//! A model in service: admission, decoding, batches, cache, self-test, tuning, and its exchange for another.
//!
//! An [`Engine`] takes uploads and gives embeddings; [`judgement`] makes verdicts of their distances. It knows no HTTP: the
//! server and the command line stand on the same one.

pub mod admission;
pub mod judgement;

pub mod pipeline;

pub mod readiness;

pub mod deployment;

pub mod self_test;

pub mod batch;

pub mod cache;

pub mod decode;

pub mod warm_up;
pub mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use siamese_core::file::Looked;
use siamese_core::model::Description;

use crate::ops::settings::Settings;
use admission::{Gate, PORTIONS};
use decode::worker::Pool;
use decode::{Decoder, Lane};
use deployment::{DeployError, Deployment, Tuning};
use readiness::{NotReady, Readiness};

/// What happens in an engine, for whoever counts.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A model came into service.
    InService(&'a Description),
    /// A model was to take the place of the one in service, and did or did not.
    Swapped {
        /// Whether it did.
        ok: bool,
    },
    /// What became of a run of the model.
    Run(batch::Event),
    /// What became of a worker.
    Worker(decode::worker::Event),
    /// An image was looked up in the cache.
    LookedUp {
        /// Whether its embedding is there.
        is_known: bool,
    },
    /// How long a part of a request's work took.
    Took(Stage, Duration),
    /// An image was not decoded, as nobody waits for it any more.
    NotDecoded,
    /// A decoder panicked or crashed.
    DecoderFailed,
}

/// Whoever counts.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// A part of a request's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From sources to pixels.
    Decode,
    /// Waiting for the model.
    Queue,
    /// The run it was part of.
    Tower,
}

/// A model in service, and what its work goes through.
pub struct Engine {
    settings: Settings,
    readiness: Readiness,
    decoder: Decoder,
    /// Images of requests with many.
    bulk: Gate,
    /// Such requests: a quarter of all at most, as each takes its time.
    bulk_requests: Gate,
    /// Their portions.
    portions: Gate,
    current: RwLock<Arc<Deployment>>,
    /// The files that were looked at when a model was last loaded. Locked for a copy.
    looked: Mutex<Looked>,
    observer: Observer,
}

impl Engine {
    /// Loads the model that the settings name, and puts it into service.
    ///
    /// Takes a second or more where it is tuned: for a thread that may wait.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn load(
        settings: Settings,
        tuning: Tuning,
        observer: Observer,
    ) -> Result<Self, DeployError> {
        let mut looked = Looked::default();
        let deployment = Deployment::load(&settings, tuning, None, &mut looked, &observer)?;
        let engine = Self::new(settings, deployment, observer, decode::worker::this_program());
        Ok(Self { looked: Mutex::new(looked), ..engine })
    }

    /// Puts the parts together; `program` is what is run as a worker.
    pub fn new(
        settings: Settings,
        deployment: Deployment,
        observer: Observer,
        program: PathBuf,
    ) -> Self {
        let pool = {
            let observer = observer.clone();
            Pool::new(program, move |event| observer(Event::Worker(event)))
        };
        let memory = settings.server.max_bodies_bytes.get();
        let decoder = Decoder::new(&settings.picture, memory, pool, observer.clone());
        observer(Event::InService(&deployment.tower));
        Self {
            readiness: Readiness::new(settings.health.max_age()),
            decoder,
            bulk: Gate::new(settings.tower.bulk_queue),
            bulk_requests: Gate::new(admission::quarter(settings.server.max_in_flight)),
            portions: Gate::new(PORTIONS),
            current: RwLock::new(Arc::new(deployment)),
            looked: Mutex::default(),
            settings,
            observer,
        }
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What tells whether work should be sent here, and is told of a stop.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Whether a balancer may send work.
    pub fn ready(&self) -> Result<(), NotReady> {
        self.readiness.check(&self.deployment())
    }

    /// The model in service. Whoever works for a request asks once: a swap may come at any time.
    pub fn deployment(&self) -> Arc<Deployment> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lanes in which costly images are decoded.
    pub fn lanes(&self) -> &[Lane] {
        self.decoder.lanes()
    }

    /// Images in hand of requests with many.
    pub fn bulk_images(&self) -> usize {
        self.bulk.taken()
    }

    /// Counts workers that ended while they had nothing to do.
    pub fn reap(&self) {
        self.decoder.reap();
    }

    /// Starts a worker, so that the first upload need not wait for one; tells whether the system filters its calls.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn start_decoder(&self) -> io::Result<bool> {
        self.decoder.warm_up().await
    }

    /// The files that were looked at when a model was last loaded, whether it could be or not, and what stood there.
    pub fn looked(&self) -> Looked {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the model's file as it is now, beside the model in service, and puts it in its place: what is in flight
    /// ends with the old one, and what comes finds the new one. A model that fails changes nothing.
    pub async fn swap(self: &Arc<Self>) -> Result<(), DeployError> {
        let engine = self.clone();
        let load = move || {
            let (before, mut looked) = (engine.deployment(), engine.looked());
            let (settings, observer) = (&engine.settings, &engine.observer);
            let tuning = Tuning::Full;
            let next = Deployment::load(settings, tuning, Some(&before), &mut looked, observer);
            *engine.looked.lock().unwrap_or_else(PoisonError::into_inner) = looked;
            next
        };
        let next = tokio::task::spawn_blocking(load).await.unwrap_or(Err(DeployError::Panicked));
        self.observe(Event::Swapped { ok: next.is_ok() });
        let next = Arc::new(next?);
        self.observe(Event::InService(&next.tower));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn observe(&self, event: Event) {
        (self.observer)(event);
    }
}

impl Stage {
    /// Its name in metrics and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Queue => "queue",
            Self::Tower => "tower",
        }
    }
}
