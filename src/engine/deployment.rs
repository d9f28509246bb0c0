//! A model in service, with all that goes with it when another takes its place.

use std::sync::Arc;

use siamese_core::file::Looked;
use siamese_core::model::{Description, LoadError, Source};
use thiserror::Error;
use tokio::task::JoinHandle;

use super::batch::Batcher;
use super::cache::Cache;
use super::self_test::SelfTest;
use super::tuning::{Plan, Sessions};
use super::{Event, Observer};
use crate::ops::settings::{Settings, SettingsError};

/// A model in service. A request holds on to one from its start to its answer, so that all its images go through
/// the same model; when the last one lets go, the model's threads end.
pub struct Deployment {
    /// What is known of the model.
    pub model: Arc<Description>,
    /// The way to it.
    pub batcher: Batcher,
    /// What it said of images seen before.
    pub cache: Option<Cache>,
    /// Whether it still is right.
    pub self_test: Arc<SelfTest>,
    _watch: Watch,
    /// How it runs, and the size of its model.
    origin: Option<(Plan, u64)>,
}

/// How much is tried before a model comes into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// The ways to run it that the settings leave open: for many images.
    Full,
    /// Nothing, for a few: one session, as the settings have it.
    None,
}

/// The task of the self-test, which ends with its model's service.
struct Watch(JoinHandle<()>);

/// Why a model can't be brought into service.
#[derive(Debug, Error)]
pub enum DeployError {
    /// There is none.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What loads it has a defect.
    #[error("loading the model panicked")]
    Panicked,
}

impl Deployment {
    /// Loads the model that the settings name beside the one in service, holds it to its golden pairs, and finds how
    /// it runs fastest; `observer` is told of its runs, and `looked` takes the files that were looked at, also where
    /// this fails.
    ///
    /// The files are read once. All sessions are made of what was read, and have its digest, whatever stands at the
    /// path by then; it is let go of when they are made.
    ///
    /// Takes a second or more: for a thread that may wait.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn load(
        settings: &Settings,
        tuning: Tuning,
        before: Option<&Self>,
        looked: &mut Looked,
        observer: &Observer,
    ) -> Result<Self, DeployError> {
        let path = settings.model.file()?;
        let (files, source) = Source::read_within(&path, settings.model.read_timeout());
        if !files.is_empty() {
            *looked = files;
        }
        let source = source?;
        let size = source.size();
        let known = before.and_then(|it| it.origin).filter(|(_, it)| is_alike(*it, size));
        let preset = known.map_or((&settings.model).into(), |(plan, _)| plan.into());
        let Sessions { models, plan } = match tuning {
            Tuning::Full => Sessions::gather(&source, &settings.options(), preset)?,
            Tuning::None => Sessions::alone(&source, &settings.options())?,
        };
        drop(source);
        let model = models[0].description().clone();
        if model.one_at_a_time {
            tracing::warn!(
                model = model.card.name,
                "the model takes a batch of 1 only: images run one by one, and slower; export it with a dynamic \
                 batch axis"
            );
        }
        let observer = observer.clone();
        let observe = move |event| observer(Event::Run(event));
        let batcher = Batcher::start(models, settings.model.queue, plan.max_batch, observe);
        Ok(Self { origin: Some((plan, size)), ..Self::new(model, batcher, settings) })
    }

    /// Brings a model that is at work into service.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn new(model: Arc<Description>, batcher: Batcher, settings: &Settings) -> Self {
        let self_test = Arc::new(SelfTest::new());
        let watch = Watch({
            let (self_test, batcher, model) = (self_test.clone(), batcher.clone(), model.clone());
            let interval = settings.health.interval();
            tokio::spawn(async move { self_test.watch(&batcher, &model.golden, interval).await })
        });
        let cache = Some(settings.cache.max_bytes).filter(|it| 0 < *it).map(Cache::new);
        Self { model, batcher, cache, self_test, _watch: watch, origin: None }
    }
}

/// Whether two models are so near in size that they are one network, trained twice: how that runs is known.
fn is_alike(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= one / 20
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
