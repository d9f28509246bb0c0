//! The thread that sends spans, so that no request waits for a collector.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::causes;

use super::Resource;
use super::client::Client;
use super::otlp::{self, Spans};

/// The most requests whose spans wait to be sent; further ones are dropped.
pub(super) const QUEUE_LENGTH: usize = 2048;

/// The most requests in one batch.
pub(super) const BATCH: usize = 512;

/// How long the first request of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// The outcome of a traced request's export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportOutcome {
    /// The collector accepted it.
    Sent,
    /// The collector did not accept it.
    Failed,
    /// The queue was full.
    Dropped,
}

pub(super) enum Message {
    Spans(Spans),
    Stop,
}

/// Notified when the thread has ended.
pub(super) type Stopped = Receiver<()>;

type Observe = Arc<dyn Fn(ExportOutcome, u64) + Send + Sync>;

pub(super) fn start(
    client: Client,
    resource: Resource,
    observe: Observe,
) -> (SyncSender<Message>, Stopped) {
    let (queue, messages) = mpsc::sync_channel(QUEUE_LENGTH);
    let (ended, stopped) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("traces".to_owned())
        .spawn(move || {
            export(&client, &resource, &messages, &*observe);
            let _ = ended.send(());
        })
        .expect("the system can create threads at the start");
    (queue, stopped)
}

/// Sends what is in the queue, for at most `timeout`.
pub(super) fn stop(queue: &SyncSender<Message>, stopped: &Stopped, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    // A full queue empties as requests end.
    while let Err(TrySendError::Full(_)) = queue.try_send(Message::Stop) {
        if deadline < Instant::now() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = stopped.recv_timeout(deadline.saturating_duration_since(Instant::now()));
}

fn export(
    client: &Client,
    resource: &Resource,
    messages: &Receiver<Message>,
    observe: &(dyn Fn(ExportOutcome, u64) + Send + Sync),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return tracing::error!(%err, "no traces can be sent"),
    };
    let endpoint = client.endpoint();
    let mut failing = false;
    let mut going = true;
    while going {
        let batch;
        (batch, going) = gather(messages);
        if batch.is_empty() {
            continue;
        }
        let requests = batch.len() as u64;
        match runtime.block_on(client.post(otlp::body(resource, &batch))) {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    tracing::info!(%endpoint, "the collector accepts traces again");
                }
                observe(ExportOutcome::Sent, requests);
            }
            Err(err) => {
                if !std::mem::replace(&mut failing, true) {
                    let cause = causes(&err);
                    tracing::warn!(%endpoint, cause, "the collector does not accept traces; they are counted and dropped");
                }
                observe(ExportOutcome::Failed, requests);
            }
        }
    }
}

/// The next batch, and whether more will follow.
fn gather(messages: &Receiver<Message>) -> (Vec<Spans>, bool) {
    let mut batch = Vec::new();
    let Ok(Message::Spans(first)) = messages.recv() else { return (batch, false) };
    batch.push(first);
    let deadline = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Message::Spans(spans)) => batch.push(spans),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return (batch, false),
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    (batch, true)
}
