//! A tower in service, with all that goes with it when another takes its place.

use std::sync::Arc;

use siamese_core::file::Looked;
use siamese_core::model::{Description, LoadError, Source};
use thiserror::Error;
use tokio::task::JoinHandle;

use super::batch::Batcher;
use super::cache::Cache;
use super::self_test::SelfTest;
use super::warm_up::{Crew, Plan};
use super::{Event, Observer};
use crate::ops::settings::{Settings, SettingsError};

/// A tower in service. A request holds on to one from its start to its answer, so that all its pictures go through
/// the same tower; when the last one lets go, the tower's threads end.
pub struct Deployment {
    /// What is known of the tower.
    pub tower: Arc<Description>,
    /// The way to it.
    pub batcher: Batcher,
    /// What it said of pictures seen before.
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

/// The task of the self-test, which ends with its tower's service.
struct Watch(JoinHandle<()>);

/// Why a tower can't be brought into service.
#[derive(Debug, Error)]
pub enum DeployError {
    /// There is none.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What loads it has a defect.
    #[error("loading the tower panicked")]
    Panicked,
}

impl Deployment {
    /// Loads the tower that the settings name beside the one in service, holds it to its golden pairs, and finds how
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
        let path = settings.tower.file()?;
        let (files, source) = Source::read_within(&path, settings.tower.read_timeout());
        if !files.is_empty() {
            *looked = files;
        }
        let source = source?;
        let size = source.size();
        let known = before.and_then(|it| it.origin).filter(|(_, it)| is_alike(*it, size));
        let wishes = known.map_or((&settings.tower).into(), |(plan, _)| plan.into());
        let Crew { towers, plan } = match tuning {
            Tuning::Full => Crew::gather(&source, &settings.options(), wishes)?,
            Tuning::None => Crew::alone(&source, &settings.options())?,
        };
        drop(source);
        let tower = towers[0].description().clone();
        if tower.one_at_a_time {
            tracing::warn!(
                tower = tower.card.name,
                "the tower takes a batch of 1 only: pictures run one by one, and slower; export it with a dynamic \
                 batch axis"
            );
        }
        let observer = observer.clone();
        let observe = move |event| observer(Event::Run(event));
        let batcher = Batcher::start(towers, settings.tower.queue, plan.largest_batch, observe);
        Ok(Self { origin: Some((plan, size)), ..Self::new(tower, batcher, settings) })
    }

    /// Brings a tower that is at work into service.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, which the self-test needs.
    pub fn new(tower: Arc<Description>, batcher: Batcher, settings: &Settings) -> Self {
        let self_test = Arc::new(SelfTest::new());
        let watch = Watch({
            let (self_test, batcher, tower) = (self_test.clone(), batcher.clone(), tower.clone());
            let interval = settings.health.interval();
            tokio::spawn(async move { self_test.watch(&batcher, &tower.golden, interval).await })
        });
        let cache = Some(settings.cache.max_bytes).filter(|it| 0 < *it).map(Cache::new);
        Self { tower, batcher, cache, self_test, _watch: watch, origin: None }
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
