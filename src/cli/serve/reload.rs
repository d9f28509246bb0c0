//! What is read again while the server runs: everything at SIGHUP, and the model when its files are others.

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

/// What can be read again, each by itself: where one can't, it stays as it was, and where one takes long, the others
/// don't wait for it.
pub(super) struct Reload {
    engine: Arc<Engine>,
    files: Vec<(&'static str, Arc<Read>)>,
}

type Read = dyn Fn() -> Result<(), String> + Send + Sync;

impl Reload {
    /// Only the model.
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, files: Vec::new() }
    }

    /// Adds something to be read again: what it is called in the log, and how it is read.
    pub(super) fn with<E: Error>(
        mut self,
        what: &'static str,
        read: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.files.push((what, Arc::new(move || read().map_err(|err| causes(&err)))));
        self
    }

    /// Reads at each signal, and the model whenever its files are others, where that is to be seen.
    pub(super) async fn follow(self, mut hangup: Signal) {
        let (sender, told) = channel::channel(());
        // They end with this future.
        let mut tasks = JoinSet::new();
        for (what, read) in self.files {
            tasks.spawn(follow_file(what, read, told.clone()));
        }
        tasks.spawn(follow_model(self.engine, told));
        while hangup.recv().await.is_some() {
            sender.send_replace(());
        }
    }
}

async fn follow_file(what: &'static str, read: Arc<Read>, mut told: Receiver<()>) {
    while told.changed().await.is_ok() {
        let read = read.clone();
        // A panic of one time is none of the next.
        match on_a_thread(move || read()).await.map_err(|err| causes(&err)).flatten() {
            Ok(()) => tracing::info!(what, "read again"),
            Err(cause) => tracing::error!(what, cause, "can't be read again: it stays as it was"),
        }
    }
}

async fn follow_model(engine: Arc<Engine>, mut told: Receiver<()>) {
    // From what was read at the start: what took its place since then is seen.
    let mut watch = Watch::new(engine.stamps(), engine.settings().model.read_timeout());
    loop {
        tokio::select! {
            asked = told.changed() => if asked.is_err() { return },
            () = changed(&mut watch, &engine) => {}
        }
        swap(&engine).await;
        watch.begin(engine.stamps());
    }
}

async fn swap(engine: &Arc<Engine>) {
    tracing::info!("loading the model's file beside the model in service");
    // What reads the files gives up by itself; its sessions may take as long again before that is worth a line.
    let limit = 2 * engine.settings().model.read_timeout();
    let mut swapping = pin!(engine.swap());
    let swapped = if let Ok(swapped) = tokio::time::timeout(limit, swapping.as_mut()).await {
        swapped
    } else {
        let limit_ms = milliseconds(limit);
        tracing::warn!(limit_ms, "the model is still loading; the one in service goes on");
        swapping.await
    };
    match swapped {
        Ok(()) => {
            let model = engine.deployment().model.clone();
            tracing::info!(
                model = model.card.name,
                digest = model.digest,
                device = model.provider.device(),
                "another model is in service"
            );
        }
        Err(err) => {
            let cause = causes(&err);
            tracing::error!(cause, "the model can't be loaded; the one in service goes on");
        }
    }
}

/// Waits until the model's files are others; for ever, where nobody is to look.
async fn changed(watch: &mut Watch, engine: &Engine) {
    match engine.settings().model.watch() {
        Some(interval) => watch.changed(interval).await,
        None => pending().await,
    }
}
