//! The towers' threads as a whole: what they share, who is left, and how long each has been at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::queue::Queue;

/// What the towers' threads share.
pub(super) struct Roster {
    pub(super) queue: Queue,
    /// Told of each run that fails.
    pub(super) failed: Notify,
    left: AtomicUsize,
    start: Instant,
    /// For each tower since when it runs, in nanoseconds after the start; 0 while it does not.
    runs: Vec<AtomicU64>,
}

/// The work of one thread. The last one that is dropped leaves nobody to wait in vain.
pub(super) struct Duty {
    pub(super) roster: Arc<Roster>,
    at: usize,
}

impl Roster {
    pub(super) fn new(towers: usize) -> Self {
        Self {
            queue: Queue::new(),
            failed: Notify::new(),
            left: AtomicUsize::new(towers),
            start: Instant::now(),
            runs: std::iter::repeat_with(AtomicU64::default).take(towers).collect(),
        }
    }

    pub(super) fn longest_run(&self) -> Duration {
        let since = self.runs.iter().map(|it| it.load(Ordering::Relaxed)).filter(|it| 0 < *it);
        let elapsed = self.start.elapsed();
        since.min().map_or(Duration::ZERO, |it| elapsed.saturating_sub(Duration::from_nanos(it)))
    }
}

impl Duty {
    pub(super) fn new(roster: Arc<Roster>, at: usize) -> Self {
        Self { roster, at }
    }

    pub(super) fn begin(&self) {
        let now = u64::try_from(self.roster.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.roster.runs[self.at].store(now.max(1), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.roster.runs[self.at].store(0, Ordering::Relaxed);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.end();
        if self.roster.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.roster.queue.abandon();
        }
    }
}
