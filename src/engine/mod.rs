//! A model in service: admission, decoding, batches, cache, self-test, tuning and hot swap.
//!
//! An [`Engine`] takes uploads and returns embeddings. [`judgement`] turns their distances into verdicts. The engine
//! knows no HTTP: the server and the command line use the same one.

pub mod admission;

pub mod pipeline;

pub mod readiness;

pub mod deployment;

pub mod self_test;

pub mod batch;

pub mod cache;

pub mod decode;

pub mod tuning;
pub mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use siamese_core::file::FileStamps;
use siamese_core::model::Description;

pub use siamese_core::judgement;

use crate::ops::settings::Settings;
use admission::{Gate, PORTIONS, SCENES};
use decode::worker::Pool;
use decode::{Decoder, Lane};
use deployment::{DeployError, Deployment, Tuning};
use readiness::{NotReady, Readiness};

/// An event of an engine, for metrics.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A model came into service.
    InService(&'a Description),
    /// A hot swap ended.
    Swapped {
        /// Whether it succeeded.
        ok: bool,
    },
    /// An event of the model's runs.
    Run(batch::Event),
    /// An event of a decode worker.
    Worker(decode::worker::Event),
    /// An image was looked up in the cache.
    LookedUp {
        /// Whether its embedding was there.
        is_known: bool,
    },
    /// An image was embedded, or found in the cache, by a model that describes the images of its calibration.
    Seen {
        /// The model's digest.
        digest: &'a str,
        /// How much the image is like those of the calibration, in `(0, 1]`.
        familiarity: f64,
    },
    /// The duration of a stage of a request.
    Took(Stage, Duration),
    /// An image was not decoded, because no request waits for it any more.
    NotDecoded,
    /// A decoder panicked or crashed.
    DecoderFailed,
}

/// The receiver of events.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// A stage of a request's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From sources to images, or to pixels if the model embeds whole images.
    Decode,
    /// From images to pixels of a face.
    Search,
    /// In the queue before the model.
    Queue,
    /// In a run of the model.
    Model,
}

/// A model in service, with its limits, decoder and observer.
pub struct Engine {
    settings: Settings,
    readiness: Readiness,
    decoder: Decoder,
    /// The images of bulk requests.
    bulk: Gate,
    /// The bulk requests: at most a quarter of all requests, because each takes long.
    bulk_requests: Gate,
    /// The pairs of images that are compared place by place: small ones, and large ones.
    scenes: [Gate; 2],
    /// The portions of bulk requests.
    portions: Gate,
    current: RwLock<Arc<Deployment>>,
    /// The stamps of the files when a model was last loaded. Locked only for a copy.
    stamps: Mutex<FileStamps>,
    observer: Observer,
}

impl Engine {
    /// Loads the model of the settings, and puts it into service.
    ///
    /// With tuning it takes a second or more, so call it on a thread that may block.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn load(
        settings: Settings,
        tuning: Tuning,
        observer: Observer,
    ) -> Result<Self, DeployError> {
        let mut stamps = FileStamps::default();
        let deployment = Deployment::load(&settings, tuning, None, &mut stamps, &observer)?;
        let engine = Self::new(settings, deployment, observer, decode::worker::this_program());
        Ok(Self { stamps: Mutex::new(stamps), ..engine })
    }

    /// Builds an engine from its parts. `program` is the executable of the workers.
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
        let decoder = Decoder::new(&settings.image, memory, pool, observer.clone());
        observer(Event::InService(&deployment.model));
        Self {
            readiness: Readiness::new(settings.health.max_age()),
            decoder,
            bulk: Gate::new(settings.model.bulk_queue),
            bulk_requests: Gate::new(admission::quarter(settings.server.max_in_flight)),
            scenes: SCENES.map(Gate::new),
            portions: Gate::new(PORTIONS),
            current: RwLock::new(Arc::new(deployment)),
            stamps: Mutex::default(),
            settings,
            observer,
        }
    }

    /// The settings of the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The readiness, which also receives a shutdown.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Whether a load balancer may send requests.
    pub fn ready(&self) -> Result<(), NotReady> {
        self.readiness.check(&self.deployment())
    }

    /// The deployment in service. Call it once for each request, because a swap may happen at any time.
    pub fn deployment(&self) -> Arc<Deployment> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The worker lanes that decode costly images.
    pub fn lanes(&self) -> &[Lane] {
        self.decoder.lanes()
    }

    /// The images of bulk requests in progress.
    pub fn bulk_images(&self) -> usize {
        self.bulk.taken()
    }

    /// Counts workers that ended while idle.
    pub fn reap(&self) {
        self.decoder.reap();
    }

    /// Starts a worker in advance, so that the first upload does not wait for one. Returns whether the system filters
    /// the worker's system calls.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn start_decoder(&self) -> io::Result<bool> {
        self.decoder.warm_up().await
    }

    /// The stamps of the files when a model was last loaded, successfully or not.
    pub fn stamps(&self) -> FileStamps {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hot swap: loads the model's file as it is now, and puts it in the place of the model in service. Requests in
    /// progress keep the old model, and new requests use the new one. If loading fails, nothing changes.
    pub async fn swap(self: &Arc<Self>) -> Result<(), DeployError> {
        let engine = self.clone();
        let load = move || {
            let (before, mut stamps) = (engine.deployment(), engine.stamps());
            let (settings, observer) = (&engine.settings, &engine.observer);
            let tuning = Tuning::Full;
            let next = Deployment::load(settings, tuning, Some(&before), &mut stamps, observer);
            *engine.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
            next
        };
        let next = tokio::task::spawn_blocking(load).await.unwrap_or(Err(DeployError::Panicked));
        self.observe(Event::Swapped { ok: next.is_ok() });
        let next = Arc::new(next?);
        self.observe(Event::InService(&next.model));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn observe(&self, event: Event) {
        (self.observer)(event);
    }
}

impl Stage {
    /// The name in metrics and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Search => "search",
            Self::Queue => "queue",
            Self::Model => "model",
        }
    }
}
