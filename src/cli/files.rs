//! The files that are read again at SIGHUP, while the server runs; all but the tower's, which takes longer.

use std::error::Error;
use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::telemetry::causes;

/// What can be read again, each by itself: where one can't, it stays as it was.
#[derive(Default)]
pub(super) struct Files(Vec<(&'static str, Box<Read>)>);

type Read = dyn Fn() -> Result<(), String> + Send + Sync;

impl Files {
    /// Adds something to be read again: what it is called in the log, and how it is read.
    pub(super) fn add<E: Error>(
        &mut self,
        what: &'static str,
        read: impl Fn() -> Result<(), E> + Send + Sync + 'static,
    ) {
        self.0.push((what, Box::new(move || read().map_err(|err| causes(&err)))));
    }

    /// Reads everything again at each signal, where it holds no request up.
    pub(super) async fn follow(self, mut hangup: Signal) {
        let files = Arc::new(self);
        while hangup.recv().await.is_some() {
            let files = files.clone();
            // A panic of one time is none of the next.
            let _ = tokio::task::spawn_blocking(move || files.read()).await;
        }
    }

    fn read(&self) {
        for (what, read) in &self.0 {
            match read() {
                Ok(()) => tracing::info!(what, "read again"),
                Err(cause) => {
                    tracing::error!(what, cause, "can't be read again: it stays as it was");
                }
            }
        }
    }
}
