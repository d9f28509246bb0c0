//! The thread that sends spans, so that who answers requests never does.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::causes;

use super::Resource;
use super::client::Client;
use super::otlp::{self, Spans};

/// Requests that may wait to be sent; more are dropped.
pub(super) const ROOM: usize = 2048;

/// Requests of one post.
pub(super) const BATCH: usize = 512;

/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// What became of a traced request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The collector has it.
    Sent,
    /// The collector did not take it.
    Failed,
    /// There was no room to wait.
    Dropped,
}

pub(super) enum Message {
    Spans(Spans),
    Stop,
}

/// Tells when the thread has ended.
pub(super) type Stopped = Receiver<()>;

type Observe = Arc<dyn Fn(Fate, u64) + Send + Sync>;

pub(super) fn start(
    client: Client,
    resource: Resource,
    observe: Observe,
) -> (SyncSender<Message>, Stopped) {
    let (queue, messages) = mpsc::sync_channel(ROOM);
    let (ended, stopped) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("traces".to_owned())
        .spawn(move || {
            export(&client, &resource, &messages, &*observe);
            let _ = ended.send(());
        })
        .expect("the system gives a thread at the start");
    (queue, stopped)
}

/// Has what is in the queue sent, for so long at most.
pub(super) fn stop(queue: &SyncSender<Message>, stopped: &Stopped, patience: Duration) {
    let until = Instant::now() + patience;
    // A full queue empties as posts end.
    while let Err(TrySendError::Full(_)) = queue.try_send(Message::Stop) {
        if until < Instant::now() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = stopped.recv_timeout(until.saturating_duration_since(Instant::now()));
}

fn export(
    client: &Client,
    resource: &Resource,
    messages: &Receiver<Message>,
    observe: &(dyn Fn(Fate, u64) + Send + Sync),
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
                    tracing::info!(%endpoint, "the collector takes traces again");
                }
                observe(Fate::Sent, requests);
            }
            Err(err) => {
                if !std::mem::replace(&mut failing, true) {
                    let cause = causes(&err);
                    tracing::warn!(%endpoint, cause, "the collector takes no traces; they are counted and dropped");
                }
                observe(Fate::Failed, requests);
            }
        }
    }
}

/// The next batch, and whether there will be another.
fn gather(messages: &Receiver<Message>) -> (Vec<Spans>, bool) {
    let mut batch = Vec::new();
    let Ok(Message::Spans(first)) = messages.recv() else { return (batch, false) };
    batch.push(first);
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Spans(spans)) => batch.push(spans),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return (batch, false),
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    (batch, true)
}
