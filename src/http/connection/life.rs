//! One connection's life: what it has in flight, what its client has not taken yet, since when it idles, why it ends.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::head::Head;
use crate::http::metrics::Ended;
use crate::ops::telemetry::milliseconds;

/// Who does nothing for so long makes room for others: long enough for whoever has only just come.
pub(crate) const SPARED: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Whether each answer ends its connection.
    closing: AtomicBool,
    in_flight: AtomicUsize,
}

/// What is known of one connection.
pub(crate) struct Life {
    traffic: Arc<Traffic>,
    begun: Instant,
    /// The head that is being read; of HTTP/1 alone, as what HTTP/2 sends while it idles is not told from one.
    pub(crate) head: Arc<Head>,
    is_http2: AtomicBool,
    has_asked: AtomicBool,
    in_flight: AtomicUsize,
    /// Bodies of its requests that have not come whole.
    pub(crate) bodies: AtomicUsize,
    /// Whether a request of it had no valid key, and whether one had.
    has_guessed: AtomicBool,
    has_key: AtomicBool,
    /// When it last had an answer, or took some of one, in milliseconds from its begin.
    active: AtomicU64,
    untaken: Mutex<Untaken>,
    /// Whether one of its answers waits for room.
    waits: AtomicBool,
    told: Mutex<Option<Ended>>,
    telling: Notify,
}

/// The answers whose bytes its client has not taken.
#[derive(Default)]
struct Untaken {
    bytes: usize,
    /// Of each, its number, and when some of it was last taken.
    answers: Vec<(u64, Instant)>,
}

/// The one answer of a connection that waits for room, until this is dropped.
pub(crate) struct Turn<'a>(&'a Life);

/// A request in flight, until it has its answer or is dropped.
pub(crate) struct InFlight(Arc<Life>);

impl Traffic {
    /// From now on each answer ends its connection.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// How many requests wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Life {
    pub(crate) fn new(traffic: Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self {
            traffic,
            begun: Instant::now(),
            head: Arc::new(Head::new()),
            is_http2: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            bodies: AtomicUsize::new(0),
            has_guessed: AtomicBool::new(false),
            has_key: AtomicBool::new(false),
            active: AtomicU64::new(0),
            untaken: Mutex::default(),
            waits: AtomicBool::new(false),
            told: Mutex::default(),
            telling: Notify::new(),
        })
    }

    /// Whether each answer ends its connection.
    pub(crate) fn is_closing(&self) -> bool {
        self.traffic.closing.load(Ordering::Relaxed)
    }

    /// Whether so many requests of all connections wait for their answers that more than a few of one are not to be held.
    pub(crate) fn is_crowding(&self) -> bool {
        /// Of all connections of a port.
        const MANY: usize = 4096;
        /// Of this one.
        const FEW: usize = 4;
        MANY < self.traffic.in_flight() && FEW < self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn speaks_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Whether it has had no request so far.
    pub(crate) fn is_new(&self) -> bool {
        !self.has_asked.load(Ordering::Relaxed)
    }

    /// Since when it has had no request, and taken nothing; `None` while it has a request.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.in_flight.load(Ordering::Acquire) == 0;
        idle.then(|| self.active())
    }

    /// Whether it may make room for another: it has been there for long enough, and none of its requests is worked on, or
    /// none had a valid key where one is needed. Bodies that are still coming are no work: else whoever sends slowly could
    /// hold all connections.
    pub(crate) fn may_make_room(&self, now: Instant) -> bool {
        let coming = self.bodies.load(Ordering::Relaxed);
        let is_at_rest = self.in_flight.load(Ordering::Acquire) <= coming;
        let spared = |since| now.saturating_duration_since(since) < SPARED;
        (self.is_stranger() && !spared(self.begun)) || (is_at_rest && !spared(self.active()))
    }

    /// Who makes room first: those that never asked for anything, or without a valid key alone, then those that idle, then
    /// those whose bodies do not come; of each kind the one that has been at rest for longest.
    pub(crate) fn worth(&self) -> (bool, bool, Instant) {
        let is_known = !self.is_new() && !self.is_stranger();
        (is_known, is_known && self.idle_since().is_none(), self.active())
    }

    /// Notes a request with a valid key, or without.
    pub(crate) fn asked(&self, has_key: bool) {
        let noted = if has_key { &self.has_key } else { &self.has_guessed };
        noted.store(true, Ordering::Relaxed);
    }

    /// Whether it has only guessed at keys.
    fn is_stranger(&self) -> bool {
        self.has_guessed.load(Ordering::Relaxed) && !self.has_key.load(Ordering::Relaxed)
    }

    /// When it last had an answer, or took some of one.
    fn active(&self) -> Instant {
        self.begun + Duration::from_millis(self.active.load(Ordering::Relaxed))
    }

    /// How long its client has been at the head of its next request; zero while it is at none.
    pub(crate) fn head_takes(&self) -> Duration {
        let waits = self.idle_since().is_some() && !self.is_http2.load(Ordering::Relaxed);
        self.head.taking().filter(|_| waits).unwrap_or_default()
    }

    /// How many bytes of answers its client has not taken.
    pub(crate) fn untaken_bytes(&self) -> usize {
        self.untaken().bytes
    }

    /// Since when its client has taken nothing of the answer that it has neglected for longest.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.untaken().answers.iter().map(|(_, since)| *since).min()
    }

    /// Lets one answer wait, where none does.
    pub(crate) fn wait_turn(&self) -> Option<Turn<'_>> {
        (!self.waits.swap(true, Ordering::Relaxed)).then(|| Turn(self))
    }

    /// Adds an answer whose bytes are to be taken.
    pub(crate) fn owes(&self, answer: u64, bytes: usize) {
        let mut untaken = self.untaken();
        untaken.bytes += bytes;
        untaken.answers.push((answer, Instant::now()));
    }

    /// Notes that so many bytes of an answer were taken, or are for nobody any more; it may be all that was left.
    pub(crate) fn took(&self, answer: u64, bytes: usize, is_all: bool) {
        self.active.store(milliseconds(self.begun.elapsed()), Ordering::Relaxed);
        let mut untaken = self.untaken();
        untaken.bytes = untaken.bytes.saturating_sub(bytes);
        if let Some(at) = untaken.answers.iter().position(|(it, _)| *it == answer) {
            if is_all {
                untaken.answers.swap_remove(at);
            } else {
                untaken.answers[at].1 = Instant::now();
            }
        }
    }

    /// Tells it to end.
    pub(crate) fn end(&self, why: Ended) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.telling.notify_one();
    }

    /// Waits until it is told to end, for a reason that still holds.
    pub(crate) async fn told(&self) -> Ended {
        loop {
            self.telling.notified().await;
            let why = self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
            let now = Instant::now();
            match why {
                // A request may have come meanwhile.
                Some(Ended::Crowded) if !self.may_make_room(now) => {}
                Some(why) => return why,
                None => {}
            }
        }
    }

    fn untaken(&self) -> MutexGuard<'_, Untaken> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    pub(crate) fn begin(life: Arc<Life>) -> Self {
        life.has_asked.store(true, Ordering::Relaxed);
        life.in_flight.fetch_add(1, Ordering::Relaxed);
        life.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        life.head.came();
        Self(life)
    }

    pub(crate) fn life(&self) -> &Life {
        &self.0
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waits.store(false, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Life { traffic, begun, head, in_flight, active, .. } = self.0.as_ref();
        // What came meanwhile was the request's body.
        head.came();
        let now = milliseconds(begun.elapsed());
        active.store(now, Ordering::Relaxed);
        in_flight.fetch_sub(1, Ordering::Release);
        traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_makes_room_while_none_of_its_requests_is_worked_on() {
        let life = Life::new(Arc::new(Traffic::default()));
        assert!(!life.may_make_room(Instant::now()), "it has only just come");
        advance(SPARED).await;
        assert!(life.may_make_room(Instant::now()));

        let request = InFlight::begin(life.clone());
        assert!(!life.may_make_room(Instant::now()), "it is at work");
        life.bodies.fetch_add(1, Ordering::Relaxed);
        assert!(life.may_make_room(Instant::now()), "its body does not come");
        let other = InFlight::begin(life.clone());
        assert!(!life.may_make_room(Instant::now()), "the other is at work");
        drop((other, request));
        life.bodies.fetch_sub(1, Ordering::Relaxed);
        assert!(!life.may_make_room(Instant::now()), "it has only just had an answer");
        let _request = InFlight::begin(life.clone());
        life.asked(false);
        assert!(life.may_make_room(Instant::now()), "it has shown no key");
        life.asked(true);
        assert!(!life.may_make_room(Instant::now()), "it has one, and is at work");
    }
}
