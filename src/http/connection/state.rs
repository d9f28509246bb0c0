//! The state of one connection: requests in flight, unsent responses, idle time, and the reason of its end.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::head::Head;
use crate::http::metrics::Ended;
use crate::ops::telemetry::milliseconds;

/// How long a connection must do nothing before it may be closed for another. A new one has time to begin.
pub(crate) const SPARED: Duration = Duration::from_secs(1);

/// The state that all connections of a listener share.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Whether each response ends its connection.
    closing: AtomicBool,
    in_flight: AtomicUsize,
}

/// The state of one connection.
pub(crate) struct ConnectionState {
    traffic: Arc<Traffic>,
    /// The other end: the client, or its proxy.
    pub(crate) peer: Option<IpAddr>,
    begun: Instant,
    /// The head that is arriving. Only for HTTP/1: for HTTP/2, other frames cannot be told from a head.
    pub(crate) head: Arc<Head>,
    is_http2: AtomicBool,
    has_requests: AtomicBool,
    in_flight: AtomicUsize,
    /// Requests whose bodies are still arriving.
    pub(crate) bodies: AtomicUsize,
    /// Whether it sent a request without a valid key, and whether it sent one with a valid key.
    lacked_key: AtomicBool,
    has_key: AtomicBool,
    /// When it last received a response or took a part of one, in milliseconds after `begun`.
    active: AtomicU64,
    unsent: Mutex<Unsent>,
    /// Whether one of its responses waits for memory.
    waits: AtomicBool,
    end_reason: Mutex<Option<Ended>>,
    end_notify: Notify,
}

/// The responses whose bytes the client has not taken.
#[derive(Default)]
struct Unsent {
    bytes: usize,
    /// Each response's number, and when a part of it was last taken.
    responses: Vec<(u64, Instant)>,
}

/// The right of one response of a connection to wait for memory, until this is dropped.
pub(crate) struct Turn<'a>(&'a ConnectionState);

/// A request in flight, until it has its response or is dropped.
pub(crate) struct InFlight(Arc<ConnectionState>);

impl Traffic {
    /// Makes each response end its connection from now on.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// How many requests wait for their response.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl ConnectionState {
    pub(crate) fn new(traffic: Arc<Traffic>, peer: Option<IpAddr>) -> Arc<Self> {
        Arc::new(Self {
            traffic,
            peer,
            begun: Instant::now(),
            head: Arc::new(Head::new()),
            is_http2: AtomicBool::new(false),
            has_requests: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            bodies: AtomicUsize::new(0),
            lacked_key: AtomicBool::new(false),
            has_key: AtomicBool::new(false),
            active: AtomicU64::new(0),
            unsent: Mutex::default(),
            waits: AtomicBool::new(false),
            end_reason: Mutex::default(),
            end_notify: Notify::new(),
        })
    }

    /// Whether each response ends its connection.
    pub(crate) fn is_closing(&self) -> bool {
        self.traffic.closing.load(Ordering::Relaxed)
    }

    /// Whether so many requests are in flight on all connections that only a few of each can be held.
    pub(crate) fn is_over_share(&self) -> bool {
        /// The limit for all connections of a port.
        const MANY: usize = 4096;
        /// The limit for this connection.
        const FEW: usize = 4;
        MANY < self.traffic.in_flight() && FEW < self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn speaks_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Whether it has had no request so far.
    pub(crate) fn is_new(&self) -> bool {
        !self.has_requests.load(Ordering::Relaxed)
    }

    /// Since when it has had no request and taken nothing; `None` while a request is in flight.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.in_flight.load(Ordering::Acquire) == 0;
        idle.then(|| self.active())
    }

    /// Whether it may be closed for another connection: it is not new, and either none of its requests is in progress
    /// or none had a required key. Requests whose bodies are still arriving are not in progress: otherwise a client
    /// that sends slowly could hold all connections.
    pub(crate) fn may_be_closed(&self, now: Instant) -> bool {
        let arriving = self.bodies.load(Ordering::Relaxed);
        let is_at_rest = self.in_flight.load(Ordering::Acquire) <= arriving;
        let spared = |since| now.saturating_duration_since(since) < SPARED;
        (self.lacks_key() && !spared(self.begun)) || (is_at_rest && !spared(self.active()))
    }

    /// The order in which connections are closed for others, the smallest first: without requests or without a valid
    /// key, then idle ones, then those whose bodies do not arrive; in each group, the one that has been inactive
    /// longest.
    pub(crate) fn keep_priority(&self) -> (bool, bool, Instant) {
        let is_known = !self.is_new() && !self.lacks_key();
        (is_known, is_known && self.idle_since().is_none(), self.active())
    }

    /// Records a request with or without a valid key.
    pub(crate) fn record_key(&self, is_valid: bool) {
        let recorded = if is_valid { &self.has_key } else { &self.lacked_key };
        recorded.store(true, Ordering::Relaxed);
    }

    /// Whether all of its requests that needed a key lacked a valid one.
    fn lacks_key(&self) -> bool {
        self.lacked_key.load(Ordering::Relaxed) && !self.has_key.load(Ordering::Relaxed)
    }

    /// When it last received a response or took a part of one.
    fn active(&self) -> Instant {
        self.begun + Duration::from_millis(self.active.load(Ordering::Relaxed))
    }

    /// How long the head of the next request has been arriving; zero if none is.
    pub(crate) fn head_takes(&self) -> Duration {
        let waits = self.idle_since().is_some() && !self.is_http2.load(Ordering::Relaxed);
        self.head.elapsed().filter(|_| waits).unwrap_or_default()
    }

    /// The bytes of responses that the client has not taken.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent().bytes
    }

    /// Since when the client has taken nothing of the response that has waited longest.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.unsent().responses.iter().map(|(_, since)| *since).min()
    }

    /// The right to let one response wait; `None` if another response already waits.
    pub(crate) fn try_wait_turn(&self) -> Option<Turn<'_>> {
        (!self.waits.swap(true, Ordering::Relaxed)).then(|| Turn(self))
    }

    /// Adds a response that the client has to take.
    pub(crate) fn add_unsent(&self, number: u64, bytes: usize) {
        let mut unsent = self.unsent();
        unsent.bytes += bytes;
        unsent.responses.push((number, Instant::now()));
    }

    /// Records that bytes of a response were taken or dropped; `is_all` if nothing of the response is left.
    pub(crate) fn record_taken(&self, number: u64, bytes: usize, is_all: bool) {
        self.active.store(milliseconds(self.begun.elapsed()), Ordering::Relaxed);
        let mut unsent = self.unsent();
        unsent.bytes = unsent.bytes.saturating_sub(bytes);
        if let Some(index) = unsent.responses.iter().position(|(other, _)| *other == number) {
            if is_all {
                unsent.responses.swap_remove(index);
            } else {
                unsent.responses[index].1 = Instant::now();
            }
        }
    }

    /// Asks the connection to end.
    pub(crate) fn end(&self, reason: Ended) {
        *self.end_reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        self.end_notify.notify_one();
    }

    /// Waits until the connection is asked to end for a reason that still holds.
    pub(crate) async fn end_requested(&self) -> Ended {
        loop {
            self.end_notify.notified().await;
            let reason = self.end_reason.lock().unwrap_or_else(PoisonError::into_inner).take();
            let now = Instant::now();
            match reason {
                // A request may have arrived meanwhile.
                Some(Ended::ConnectionsFull) if !self.may_be_closed(now) => {}
                Some(reason) => return reason,
                None => {}
            }
        }
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    pub(crate) fn begin(state: Arc<ConnectionState>) -> Self {
        state.has_requests.store(true, Ordering::Relaxed);
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        state.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        state.head.complete();
        Self(state)
    }

    pub(crate) fn state(&self) -> &ConnectionState {
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
        let ConnectionState { traffic, begun, head, in_flight, active, .. } = self.0.as_ref();
        // The bytes that arrived meanwhile were the request's body.
        head.complete();
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
    async fn a_connection_without_requests_in_progress_makes_room() {
        let state = ConnectionState::new(Arc::new(Traffic::default()), None);
        assert!(!state.may_be_closed(Instant::now()), "it is new");
        advance(SPARED).await;
        assert!(state.may_be_closed(Instant::now()));

        let request = InFlight::begin(state.clone());
        assert!(!state.may_be_closed(Instant::now()), "its request is in progress");
        state.bodies.fetch_add(1, Ordering::Relaxed);
        assert!(state.may_be_closed(Instant::now()), "its body does not arrive");
        let other = InFlight::begin(state.clone());
        assert!(!state.may_be_closed(Instant::now()), "the other request is in progress");
        drop((other, request));
        state.bodies.fetch_sub(1, Ordering::Relaxed);
        assert!(!state.may_be_closed(Instant::now()), "it has only just received a response");
        let _request = InFlight::begin(state.clone());
        state.record_key(false);
        assert!(state.may_be_closed(Instant::now()), "it has no valid key");
        state.record_key(true);
        assert!(
            !state.may_be_closed(Instant::now()),
            "it has a valid key, and its request is in progress"
        );
    }
}
