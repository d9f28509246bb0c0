//! What is reloaded while the server runs: everything at SIGHUP, and the model when its files change.

use std::error::Error;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use siamese_core::causes;
use tokio::signal::unix::Signal;
use tokio::sync::watch::{self as channel, Receiver};
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::engine::watch::Watch;
use crate::ops::blocking::on_a_thread;
use crate::ops::telemetry::milliseconds;

/// What can be reloaded. Each item is independent: if it cannot be read, its old state remains in use, and if it is
/// slow, the others do not wait for it.
pub(super) struct Reload {
    engine: Arc<Engine>,
    files: Vec<(&'static str, Arc<Read>)>,
}

type Read = dyn Fn() -> Result<(), String> + Send + Sync;

impl Reload {
    /// Reloads only the model.
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, files: Vec::new() }
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

    /// Reloads everything at each signal, and the model also when its files change.
    pub(super) async fn follow(self, mut hangup: Signal) {
        let (sender, requested) = channel::channel(());
        // The tasks end with this future.
        let mut tasks = JoinSet::new();
        for (item, read) in self.files {
            tasks.spawn(follow_file(item, read, requested.clone()));
        }
        tasks.spawn(follow_model(self.engine, requested));
        while hangup.recv().await.is_some() {
            sender.send_replace(());
        }
    }
}

async fn follow_file(item: &'static str, read: Arc<Read>, mut requested: Receiver<()>) {
    while requested.changed().await.is_ok() {
        let read = read.clone();
        // A panic does not prevent the next attempt.
        match on_a_thread(move || read()).await.map_err(|err| causes(&err)).flatten() {
            Ok(()) => tracing::info!(item, "reloaded"),
            Err(cause) => {
                tracing::error!(item, cause, "cannot reload; the old state remains in use");
            }
        }
    }
}

async fn follow_model(engine: Arc<Engine>, mut requested: Receiver<()>) {
    // The watch starts from the files that were read at the start, so later changes are noticed.
    let mut watch = Watch::new(engine.stamps(), engine.settings().model.read_timeout());
    loop {
        tokio::select! {
            signal = requested.changed() => if signal.is_err() { return },
            () = changed(&mut watch, &engine) => {}
        }
        swap(&engine).await;
        watch.begin(engine.stamps());
    }
}

async fn swap(engine: &Arc<Engine>) {
    tracing::info!("loading the new model; the old one remains in service meanwhile");
    // Reading the files has its own timeout. Creating the sessions may take as long again before it is reported.
    let limit = 2 * engine.settings().model.read_timeout();
    let mut swapping = pin!(engine.swap());
    let swapped = if let Ok(swapped) = tokio::time::timeout(limit, swapping.as_mut()).await {
        swapped
    } else {
        let limit_ms = milliseconds(limit);
        tracing::warn!(limit_ms, "the new model is still loading; the old one remains in service");
        swapping.await
    };
    match swapped {
        Ok(()) => {
            let model = engine.deployment().model.clone();
            tracing::info!(
                model = model.card.name,
                digest = model.digest,
                device = model.provider.device(),
                "the new model is in service"
            );
        }
        Err(err) => {
            let cause = causes(&err);
            tracing::error!(cause, "cannot load the new model; the old one remains in service");
        }
    }
}

/// Waits until the model's files change; forever if the settings turn the watch off.
async fn changed(watch: &mut Watch, engine: &Engine) {
    match engine.settings().model.watch() {
        Some(interval) => watch.changed(interval).await,
        None => pending().await,
    }
}
