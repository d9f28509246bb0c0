//! Models in service: admission, decoding, batches, cache, self-test, tuning and hot swap.
//!
//! An [`Engine`] takes uploads and returns embeddings. [`judgement`] turns their distances into verdicts. The engine
//! knows no HTTP: the server and the command line use the same one.

pub mod admission;

pub mod pipeline;

pub mod readiness;

pub mod deployment;

pub mod models;

pub mod self_test;

pub mod batch;

pub mod cache;

pub mod decode;

pub mod tuning;
pub mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use siamese_core::file::FileStamps;
use siamese_core::model::Description;

pub use siamese_core::judgement;

use crate::ops::settings::{ModelName, NamedModel, Settings};
use admission::Sharers;
use decode::worker::Pool;
use decode::{Decoder, Lane};
use deployment::{DeployError, Deployment, Tuning};
use models::{Models, Served};
use readiness::{NotReady, Readiness};

/// An event of an engine, for metrics.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An event of the model with this name.
    Model(&'a str, ModelEvent<'a>),
    /// An event of a decode worker.
    Worker(decode::worker::Event),
    /// An image was not decoded, because no request waits for it any more.
    NotDecoded,
    /// A decoder panicked or crashed.
    DecoderFailed,
}

/// An event of one model.
#[derive(Clone, Copy, Debug)]
pub enum ModelEvent<'a> {
    /// It came into service.
    InService(&'a Description),
    /// It is no longer served.
    Removed,
    /// A hot swap ended.
    Swapped {
        /// Whether it succeeded.
        ok: bool,
    },
    /// An event of its runs.
    Run(batch::Event),
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

/// Models in service, with the decoder that they share, and an observer.
pub struct Engine {
    settings: Settings,
    readiness: Readiness,
    decoder: Decoder,
    models: RwLock<Models>,
    /// The number of models, for the limits that they share.
    sharers: Sharers,
    /// Held while models are added, removed or replaced.
    changing: tokio::sync::Mutex<()>,
    observer: Observer,
}

/// What a reload of the models changed.
#[derive(Default)]
pub struct Reloaded {
    /// The deployments that came into service.
    pub loaded: Vec<Arc<Deployment>>,
    /// The models that are no longer served.
    pub removed: Vec<ModelName>,
    /// The models that can't be loaded. What was in service stays.
    pub failed: Vec<(ModelName, DeployError)>,
}

impl Engine {
    /// Loads the models of the settings, and puts them into service.
    ///
    /// With tuning it takes a second or more for each, so call it on a thread that may block.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn load(
        settings: Settings,
        tuning: Tuning,
        observer: Observer,
    ) -> Result<Self, DeployError> {
        let load = |origin: NamedModel| {
            let mut stamps = FileStamps::default();
            let deployment =
                Deployment::load(&origin, &settings, tuning, None, &mut stamps, &observer)?;
            Ok(Arc::new(Served::new(origin, deployment, stamps)))
        };
        let models = settings.served()?.into_iter().map(load);
        let models = models.collect::<Result<Models, DeployError>>()?;
        Ok(Self::new(settings, models, observer, decode::worker::this_program()))
    }

    /// Builds an engine from its parts: at least one model, and the executable of the workers.
    pub fn new(settings: Settings, models: Models, observer: Observer, program: PathBuf) -> Self {
        let pool = {
            let observer = observer.clone();
            Pool::new(program, move |event| observer(Event::Worker(event)))
        };
        let sharers = Sharers::new(models.len());
        let memory = settings.server.max_bodies_bytes.get();
        let decoder = Decoder::new(&settings.image, memory, pool, &sharers, observer.clone());
        let engine = Self {
            models: RwLock::new(models),
            readiness: Readiness::new(settings.health.max_age()),
            decoder,
            sharers,
            changing: tokio::sync::Mutex::default(),
            settings,
            observer,
        };
        for deployment in engine.deployments() {
            engine.observe(&deployment, ModelEvent::InService(&deployment.model));
        }
        engine
    }

    /// The settings of the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The readiness, which also receives a shutdown.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Whether a load balancer may send requests: whether all models are ready.
    pub fn ready(&self) -> Result<(), NotReady> {
        self.deployments().iter().try_for_each(|deployment| self.readiness.check(deployment))
    }

    /// The models.
    pub fn models(&self) -> Models {
        self.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The deployments of all models, in their order.
    pub fn deployments(&self) -> Vec<Arc<Deployment>> {
        self.models().iter().map(|served| served.deployment()).collect()
    }

    /// The number of models, for limits that they share.
    pub fn sharers(&self) -> &Sharers {
        &self.sharers
    }

    /// The deployment of the first model. Call it once for each request, because a swap may happen at any time.
    pub fn deployment(&self) -> Arc<Deployment> {
        self.models()[0].deployment()
    }

    /// The deployment of the model with this name: that of the server, that of the model's card, or the model's digest.
    pub fn named(&self, name: &str) -> Option<Arc<Deployment>> {
        models::find(&self.models(), name)
    }

    /// The worker lanes that decode costly images.
    pub fn lanes(&self) -> &[Lane] {
        self.decoder.lanes()
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

    /// Hot swap: loads a model's file as it is now, and puts it in the place of the model in service. Requests in
    /// progress keep the old model, and new requests use the new one. If loading fails, nothing changes.
    pub async fn swap(
        self: &Arc<Self>,
        served: &Arc<Served>,
    ) -> Result<Arc<Deployment>, DeployError> {
        let _changing = self.changing.lock().await;
        self.replace(served).await
    }

    /// Serves these models from now on. Loads all files as they are now, one after the other, and then removes the models
    /// that are not listed. Requests in progress keep their model.
    ///
    /// If a model that is new, or whose entry has changed, can't be loaded, the list stays as it was: the first model
    /// must not become another by mistake.
    pub async fn reload(self: &Arc<Self>, origins: Vec<NamedModel>) -> Reloaded {
        let _changing = self.changing.lock().await;
        let before = self.models();
        let mut reloaded = Reloaded::default();
        let (mut models, mut begun) = (Vec::with_capacity(origins.len()), Vec::new());
        let mut is_complete = !origins.is_empty();
        for origin in origins {
            let known = before.iter().find(|served| *served.origin() == origin);
            let name = origin.name.clone();
            let loaded = match known {
                Some(served) => {
                    models.push(served.clone());
                    self.replace(served).await.map(|deployment| reloaded.loaded.push(deployment))
                }
                None => self.begin(origin).await.map(|served| {
                    begun.push(served.deployment());
                    models.push(served);
                }),
            };
            if let Err(err) = loaded {
                is_complete &= known.is_some();
                reloaded.failed.push((name, err));
            }
        }
        if !is_complete {
            return reloaded;
        }
        let is_listed = |name| models.iter().any(|served: &Arc<Served>| served.name() == name);
        let names = before.iter().map(|served| served.name());
        reloaded.removed.extend(names.filter(|name| !is_listed(*name)).cloned());
        for name in &reloaded.removed {
            (self.observer)(Event::Model(name.as_str(), ModelEvent::Removed));
        }
        for deployment in &begun {
            self.observe(deployment, ModelEvent::InService(&deployment.model));
        }
        reloaded.loaded.extend(begun);
        self.sharers.set(models.len());
        *self.models.write().unwrap_or_else(PoisonError::into_inner) = models.into();
        reloaded
    }

    /// Replaces the deployment of a model.
    async fn replace(
        self: &Arc<Self>,
        served: &Arc<Served>,
    ) -> Result<Arc<Deployment>, DeployError> {
        let (next, stamps) =
            self.open(served.origin().clone(), Some(served.deployment()), served.stamps()).await;
        served.note(stamps);
        let is_ok = next.is_ok();
        (self.observer)(Event::Model(served.name().as_str(), ModelEvent::Swapped { ok: is_ok }));
        let next = Arc::new(next?);
        self.observe(&next, ModelEvent::InService(&next.model));
        served.replace(next.clone());
        Ok(next)
    }

    /// Loads a model that was not served before from this file.
    async fn begin(self: &Arc<Self>, origin: NamedModel) -> Result<Arc<Served>, DeployError> {
        let (deployment, stamps) = self.open(origin.clone(), None, FileStamps::default()).await;
        Ok(Arc::new(Served::new(origin, deployment?, stamps)))
    }

    /// Loads a deployment on a thread that may block, and the stamps of its files.
    async fn open(
        self: &Arc<Self>,
        origin: NamedModel,
        before: Option<Arc<Deployment>>,
        mut stamps: FileStamps,
    ) -> (Result<Deployment, DeployError>, FileStamps) {
        let (engine, known) = (self.clone(), stamps.clone());
        let load = move || {
            let (settings, observer) = (&engine.settings, &engine.observer);
            let (tuning, before) = (Tuning::Full, before.as_deref());
            let next = Deployment::load(&origin, settings, tuning, before, &mut stamps, observer);
            (next, stamps)
        };
        tokio::task::spawn_blocking(load).await.unwrap_or((Err(DeployError::Panicked), known))
    }

    fn observe(&self, deployment: &Deployment, event: ModelEvent) {
        (self.observer)(Event::Model(deployment.name.as_str(), event));
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
