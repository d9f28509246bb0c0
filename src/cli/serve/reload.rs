//! What is reloaded while the server runs: everything at SIGHUP, and a model when its files change.

use std::error::Error;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::select_all;
use siamese_core::causes;
use tokio::signal::unix::Signal;
use tokio::sync::watch::{self as channel, Receiver};
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::engine::deployment::{DeployError, Deployment};
use crate::engine::models::Served;
use crate::engine::watch::Watch;
use crate::http::Metrics;
use crate::ops::blocking::on_a_thread;
use crate::ops::settings::{ModelName, NamedModel};
use crate::ops::telemetry::milliseconds;

/// What can be reloaded. Each item is independent: if it cannot be read, its old state remains in use, and if it is
/// slow, the others do not wait for it.
pub(super) struct Reload {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    list: Arc<List>,
    files: Vec<(&'static str, Arc<Read>)>,
}

/// The name of the models in the metric of reloads.
const MODELS: &str = "models";

type Read = dyn Fn() -> Result<(), String> + Send + Sync;

/// Reads the models to serve from the settings.
type List = dyn Fn() -> Result<Vec<NamedModel>, String> + Send + Sync;

impl Reload {
    /// Reloads only the models. `list` reads from the settings which models these are.
    pub(super) fn new(
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
        list: impl Fn() -> Result<Vec<NamedModel>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { engine, metrics, list: Arc::new(list), files: Vec::new() }
    }

    /// Adds something to reload: its name in the log, and how to read it.
    pub(super) fn with<E: Error>(
        mut self,
        item: &'static str,
        read: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.files.push((item, Arc::new(move || read().map_err(|err| causes(&err)))));
        self
    }

    /// Reloads everything at each signal, and a model also when its files change.
    pub(super) async fn follow(self, mut hangup: Signal) {
        let (sender, requested) = channel::channel(());
        // The tasks end with this future.
        let mut tasks = JoinSet::new();
        for (item, read) in self.files {
            tasks.spawn(follow_file(item, read, self.metrics.clone(), requested.clone()));
        }
        tasks.spawn(follow_models(self.engine, self.list, self.metrics, requested));
        while hangup.recv().await.is_some() {
            sender.send_replace(());
        }
    }
}

async fn follow_file(
    item: &'static str,
    read: Arc<Read>,
    metrics: Arc<Metrics>,
    mut requested: Receiver<()>,
) {
    while requested.changed().await.is_ok() {
        let read = read.clone();
        // A panic does not prevent the next attempt.
        let outcome = on_a_thread(move || read()).await.map_err(|err| causes(&err)).flatten();
        metrics.reloaded(item, outcome.is_ok());
        match outcome {
            Ok(()) => tracing::info!(item, "reloaded"),
            Err(cause) => {
                tracing::error!(item, cause, "cannot reload; the old state remains in use");
            }
        }
    }
}

async fn follow_models(
    engine: Arc<Engine>,
    list: Arc<List>,
    metrics: Arc<Metrics>,
    mut requested: Receiver<()>,
) {
    let mut watched = watched(&engine);
    loop {
        tokio::select! {
            signal = requested.changed() => {
                if signal.is_err() {
                    return;
                }
                metrics.reloaded(MODELS, reload(&engine, list.clone()).await);
                watched = self::watched(&engine);
            }
            changed = changed(&mut watched, &engine) => {
                let (served, watch) = &mut watched[changed];
                swap(&engine, served).await;
                watch.begin(served.stamps());
            }
        }
    }
}

/// The models, each with a watch that starts from the files that were read last, so that later changes are noticed.
fn watched(engine: &Engine) -> Vec<(Arc<Served>, Watch)> {
    let limit = engine.settings().model.read_timeout();
    let watched = |served: &Arc<Served>| (served.clone(), Watch::new(served.stamps(), limit));
    engine.models().iter().map(watched).collect()
}

/// Serves the models that the settings now list. Returns whether all of them could be loaded.
async fn reload(engine: &Arc<Engine>, list: Arc<List>) -> bool {
    let listed = on_a_thread(move || list()).await.map_err(|err| causes(&err)).flatten();
    let listed = match listed {
        Ok(listed) => listed,
        Err(cause) => {
            tracing::error!(
                cause,
                "cannot read the list of models; the old models remain in service"
            );
            return false;
        }
    };
    tracing::info!(
        models = listed.len(),
        "loading the models; the old ones remain in service meanwhile"
    );
    let reloaded = in_time(engine, listed.len(), engine.reload(listed)).await;
    for deployment in &reloaded.loaded {
        in_service(deployment);
    }
    for model in &reloaded.removed {
        tracing::info!(model = model.as_str(), "the model is no longer served");
    }
    for (model, err) in &reloaded.failed {
        not_loaded(model, err);
    }
    reloaded.failed.is_empty()
}

/// Loads a model whose files have changed.
async fn swap(engine: &Arc<Engine>, served: &Arc<Served>) {
    let model = served.name();
    tracing::info!(
        model = model.as_str(),
        "loading the new model; the old one remains in service meanwhile"
    );
    match in_time(engine, 1, engine.swap(served)).await {
        Ok(deployment) => in_service(&deployment),
        Err(err) => not_loaded(model, &err),
    }
}

/// Waits for the load of some models. Reports it if it takes long.
async fn in_time<T>(engine: &Engine, models: usize, load: impl Future<Output = T>) -> T {
    // Reading the files has its own timeout. Creating the sessions may take as long again before it is reported.
    let models = u32::try_from(models).unwrap_or(u32::MAX);
    let limit = engine.settings().model.read_timeout().saturating_mul(2).saturating_mul(models);
    let mut load = pin!(load);
    if let Ok(loaded) = tokio::time::timeout(limit, load.as_mut()).await {
        return loaded;
    }
    let limit_ms = milliseconds(limit);
    tracing::warn!(limit_ms, "the new model is still loading; the old one remains in service");
    load.await
}

fn in_service(deployment: &Deployment) {
    tracing::info!(
        model = deployment.name.as_str(),
        digest = deployment.model.digest,
        device = deployment.model.provider.device(),
        "the new model is in service"
    );
}

fn not_loaded(model: &ModelName, err: &DeployError) {
    let cause = causes(err);
    tracing::error!(
        model = model.as_str(),
        cause,
        "cannot load the new model; what was in service remains"
    );
}

/// Waits until the files of a model change, and returns its index; forever if the settings turn the watch off.
async fn changed(watched: &mut [(Arc<Served>, Watch)], engine: &Engine) -> usize {
    let Some(interval) = engine.settings().model.watch() else { return pending().await };
    let changed = watched.iter_mut().map(|(_, watch)| Box::pin(watch.changed(interval)));
    select_all(changed).await.1
}
