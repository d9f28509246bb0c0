//! What is read again while the server runs: everything at SIGHUP, and the tower when its file is another.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::http::Service;
use crate::telemetry::causes;
use crate::watch::Watch;

/// What can be read again, each by itself: where one can't, it stays as it was.
pub(super) struct Reload {
    service: Arc<Service>,
    tower: Watch,
    files: Arc<Vec<(&'static str, Box<Read>)>>,
}

type Read = dyn Fn() -> Result<(), String> + Send + Sync;

impl Reload {
    /// Only the tower, whose file has been watched since before it was loaded.
    pub(super) fn new(service: Arc<Service>, tower: Watch) -> Self {
        Self { service, tower, files: Arc::default() }
    }

    /// Adds something to be read again: what it is called in the log, and how it is read.
    pub(super) fn with<E: Error>(
        mut self,
        what: &'static str,
        read: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let read = Box::new(move || read().map_err(|err| causes(&err)));
        Arc::get_mut(&mut self.files).expect("nobody reads yet").push((what, read));
        self
    }

    /// Reads at each signal, and whenever the tower's file is another, where that is to be seen.
    pub(super) async fn follow(mut self, mut hangup: Signal) {
        loop {
            tokio::select! {
                _ = hangup.recv() => self.read_files().await,
                () = changed(&mut self.tower, &self.service) => {}
            }
            self.swap_tower().await;
        }
    }

    async fn read_files(&self) {
        let files = self.files.clone();
        let read = move || {
            for (what, read) in files.iter() {
                match read() {
                    Ok(()) => tracing::info!(what, "read again"),
                    Err(cause) => {
                        tracing::error!(what, cause, "can't be read again: it stays as it was");
                    }
                }
            }
        };
        // A panic of one time is none of the next.
        let _ = tokio::task::spawn_blocking(read).await;
    }

    async fn swap_tower(&self) {
        tracing::info!("loading the tower's file beside the tower in service");
        match self.service.swap().await {
            Ok(()) => {
                let tower = self.service.tower();
                tracing::info!(
                    tower = tower.card.name,
                    digest = tower.digest,
                    device = tower.provider.device(),
                    "another tower is in service"
                );
            }
            Err(err) => {
                let cause = causes(&err);
                tracing::error!(cause, "the tower can't be loaded; the one in service goes on");
            }
        }
    }
}

/// Waits until the tower's file is another; for ever, where nobody is to look.
async fn changed(tower: &mut Watch, service: &Service) {
    match service.settings().tower.watch() {
        Some(interval) => tower.changed(interval).await,
        None => pending().await,
    }
}
