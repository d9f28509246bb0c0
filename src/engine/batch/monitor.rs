//! The state that the sessions' threads share: the queue, and the duration of each run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::queue::Queue;

/// The state that the sessions' threads share.
pub(super) struct RunMonitor {
    pub(super) queue: Queue,
    /// Notified of each failed run.
    pub(super) failed: Notify,
    start: Instant,
    /// For each session, the start of its run in nanoseconds after `start`; 0 between runs.
    runs: Vec<AtomicU64>,
}

/// The slot of one thread. When it is dropped, the thread leaves the queue.
pub(super) struct RunSlot {
    pub(super) monitor: Arc<RunMonitor>,
    index: usize,
}

impl RunMonitor {
    pub(super) fn new(models: usize, queue: Queue) -> Self {
        Self {
            queue,
            failed: Notify::new(),
            start: Instant::now(),
            runs: std::iter::repeat_with(AtomicU64::default).take(models).collect(),
        }
    }

    pub(super) fn longest_run(&self) -> Duration {
        let starts = self.runs.iter().map(|run| run.load(Ordering::Relaxed));
        let since = starts.filter(|start| 0 < *start);
        let elapsed = self.start.elapsed();
        since
            .min()
            .map_or(Duration::ZERO, |start| elapsed.saturating_sub(Duration::from_nanos(start)))
    }
}

impl RunSlot {
    pub(super) fn new(monitor: Arc<RunMonitor>, index: usize) -> Self {
        Self { monitor, index }
    }

    pub(super) fn begin(&self) {
        let now = u64::try_from(self.monitor.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.monitor.runs[self.index].store(now.max(1), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.monitor.runs[self.index].store(0, Ordering::Relaxed);
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        self.end();
        self.monitor.queue.leave();
    }
}
