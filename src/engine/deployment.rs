//! A model in service, and everything that is replaced together with it.

use std::sync::{Arc, Mutex, PoisonError};

use siamese_core::file::FileStamps;
use siamese_core::judgement::{Criterion, Judge, NoThreshold};
use siamese_core::model::{Description, LoadError, Source};
use siamese_core::score::{Embedding, Stream, Threshold};
use thiserror::Error;
use tokio::task::JoinHandle;

use super::admission::{Gate, PORTIONS, SCENES, quarter};
use super::batch::Batcher;
use super::cache::Cache;
use super::self_test::SelfTest;
use super::tuning::{Plan, Sessions};
use super::{Event, ModelEvent, Observer};
use crate::ops::settings::{ModelName, NamedModel, Settings, SettingsError};

/// A model in service. A request holds one deployment from start to response, so that all its images use the same
/// model. When the last request releases it, the model's threads end.
pub struct Deployment {
    /// The name of the model in paths and metrics.
    pub name: ModelName,
    /// The model's description.
    pub model: Arc<Description>,
    /// A threshold of the settings that replaces the one of the card.
    pub threshold: Option<Threshold>,
    /// The queue in front of the model's sessions.
    pub batcher: Batcher,
    /// The cache of the model's embeddings.
    pub cache: Option<Cache>,
    /// The state of the model's self-test.
    pub self_test: Arc<SelfTest>,
    /// The images of bulk requests.
    pub(super) bulk: Gate,
    /// The bulk requests: at most a quarter of all requests, because each takes long.
    pub(super) bulk_requests: Gate,
    /// The pairs of images that are compared place by place: small ones, and large ones.
    pub(super) scenes: [Gate; 2],
    /// The portions of bulk requests.
    pub(super) portions: Gate,
    /// The familiarity of the images that ran.
    stream: Mutex<Stream>,
    _watch: Watch,
    /// How the model runs, and the size of its file.
    plan: Option<(Plan, u64)>,
}

/// How much is measured before a model comes into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// All options that the settings leave open: for many images.
    Full,
    /// Nothing, for a few images: one session with the settings' options.
    None,
}

/// The task of the self-test. It ends with the deployment.
struct Watch(JoinHandle<()>);

/// Why a model can't be brought into service.
#[derive(Debug, Error)]
pub enum DeployError {
    /// The settings name no model, or two by one name.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The model can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The loading code has a defect.
    #[error("loading the model panicked")]
    Panicked,
}

impl Deployment {
    /// Loads a model beside the one in service. Checks its golden pairs and finds the fastest way to
    /// run it. `observer` receives the events of its runs. `stamps` receives the stamps of the model's files, even if
    /// loading fails.
    ///
    /// The files are read once. All sessions use these bytes and have their digest, whatever file is at the path
    /// afterwards. The bytes are released when the sessions exist.
    ///
    /// Takes a second or more, so call it on a thread that may block.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn load(
        origin: &NamedModel,
        settings: &Settings,
        tuning: Tuning,
        before: Option<&Self>,
        stamps: &mut FileStamps,
        observer: &Observer,
    ) -> Result<Self, DeployError> {
        let (files, source) = Source::read_within(&origin.file, settings.model.read_timeout());
        if !files.is_empty() {
            *stamps = files;
        }
        let source = source?;
        let size = source.size();
        let known = before
            .and_then(|deployment| deployment.plan)
            .filter(|(_, known_size)| is_similar(*known_size, size));
        let preset = known.map_or((&settings.model).into(), |(plan, _)| plan.into());
        let Sessions { models, plan } = match tuning {
            Tuning::Full => Sessions::tune(&source, &settings.options(), preset)?,
            Tuning::None => Sessions::single(&source, &settings.options())?,
        };
        drop(source);
        let model = models[0].description().clone();
        if model.one_at_a_time {
            tracing::warn!(
                model = origin.name.as_str(),
                "the model accepts only a batch of 1, so images run one by one, which is slower; export it with a dynamic \
                 batch axis"
            );
        }
        let (observer, name) = (observer.clone(), origin.name.clone());
        let observe = move |event| observer(Event::Model(name.as_str(), ModelEvent::Run(event)));
        let batcher = Batcher::start(models, settings.model.queue, plan.max_batch, observe);
        Ok(Self { plan: Some((plan, size)), ..Self::new(origin, model, batcher, settings) })
    }

    /// Brings a running model into service.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn new(
        origin: &NamedModel,
        model: Arc<Description>,
        batcher: Batcher,
        settings: &Settings,
    ) -> Self {
        let self_test = Arc::new(SelfTest::new());
        let watch = Watch({
            let (self_test, batcher, model) = (self_test.clone(), batcher.clone(), model.clone());
            let interval = settings.health.interval();
            tokio::spawn(async move { self_test.watch(&batcher, &model.golden, interval).await })
        });
        let cache = Some(settings.cache.max_bytes).filter(|bytes| 0 < *bytes).map(Cache::new);
        Self {
            name: origin.name.clone(),
            model,
            threshold: origin.threshold,
            batcher,
            cache,
            self_test,
            bulk: Gate::new(settings.model.bulk_queue),
            bulk_requests: Gate::new(quarter(settings.server.max_in_flight)),
            scenes: SCENES.map(Gate::new),
            portions: Gate::new(PORTIONS),
            stream: Mutex::default(),
            _watch: watch,
            plan: None,
        }
    }

    /// How familiar a new image is, if the model describes the images of its calibration. The image counts in the
    /// stream.
    pub fn familiarity(&self, embedding: &Embedding, statistics: &[f32]) -> Option<f64> {
        let described = self.model.card.familiarity.as_ref()?;
        let familiarity = described.of(embedding, statistics)?;
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).add(described, familiarity);
        Some(familiarity)
    }

    /// A judge of the model's distances.
    ///
    /// # Errors
    ///
    /// If the model's calibration does not support the criterion.
    pub fn judge(&self, criterion: Criterion) -> Result<Judge<'_>, NoThreshold> {
        Judge::new(criterion, self.threshold, &self.model.card)
    }

    /// The images of bulk requests in progress.
    pub fn bulk_images(&self) -> usize {
        self.bulk.taken()
    }

    /// The [drift](Stream::drift) of the images that ran; 0 if the model does not describe the images of its calibration.
    pub fn drift(&self) -> f64 {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).drift()
    }
}

/// Whether two models are so similar in size that they are probably the same network: the tuning of one then suits the
/// other.
fn is_similar(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= one / 20
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
