//! Responses whose bytes the clients have not taken yet. They are held in memory, so they have limits.
//!
//! A response's bytes count from its creation until the transport has written them, wherever they are buffered: each
//! piece carries its share of the reservation. Progress is measured per piece, so neither pings nor other responses of
//! the connection look like progress.
//!
//! Half of the memory is for connections with no other unsent response, one response each. So clients that take nothing
//! leave memory for clients that do, however many requests they send. When a quarter of the memory is in use, the
//! connections that have taken nothing for longest are closed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout};

use super::state::{ConnectionState, SPARED};
use crate::engine::admission::{Gate, Held, UNSENT_OF_CONNECTION};
use crate::http::metrics::Ended;

/// The size of one piece, in bytes: the default HTTP/2 frame size.
const PIECE: usize = 16 << 10;

/// How long a response waits for memory while stalled connections are closed. Longer than new connections are spared.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(2);

/// How often to look for stalled connections.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// All unsent responses.
pub(crate) struct UnsentResponses {
    memory: Gate,
    next: AtomicU64,
    connections: Mutex<UnsentConnections>,
}

/// The connections with unsent responses.
#[derive(Default)]
struct UnsentConnections {
    /// By the address of the state in memory, with the number of unsent responses.
    states: HashMap<usize, (Arc<ConnectionState>, usize)>,
    /// When stalled connections were last looked for.
    last_check: Option<Instant>,
}

/// A response, until all of its pieces are sent or dropped.
struct TrackedResponse {
    responses: Arc<UnsentResponses>,
    state: Option<Arc<ConnectionState>>,
    number: u64,
}

/// The rest of a response's body. It is sent in pieces.
struct Rest {
    bytes: Bytes,
    memory: Held,
    response: Arc<TrackedResponse>,
}

/// A piece of a response. Its memory is released when the transport drops it.
struct Piece {
    bytes: Bytes,
    response: Arc<TrackedResponse>,
    _memory: Held,
}

impl UnsentResponses {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            memory: Gate::of_bytes(bytes),
            next: AtomicU64::new(0),
            connections: Mutex::default(),
        })
    }

    /// The unsent bytes, rounded up to whole units.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.taken()
    }

    /// The memory left for connections that already have unsent responses, in bytes.
    fn shared(&self) -> usize {
        (self.memory.most() / 2).saturating_sub(self.memory.taken())
    }

    /// Whether a connection must take some of its responses before it may send another request.
    pub(crate) fn exceeds_limit(&self, unsent: usize) -> bool {
        0 < unsent && UNSENT_OF_CONNECTION.min(self.shared()) <= unsent
    }

    /// Reserves memory for this many bytes. A connection without unsent bytes waits for it, with one response at a
    /// time. A response larger than the whole memory is admitted alone.
    pub(crate) async fn admit(
        &self,
        bytes: usize,
        state: Option<&ConnectionState>,
    ) -> Option<Held> {
        self.close_stalled();
        let unsent = state.map_or(0, ConnectionState::unsent_bytes);
        if 0 < unsent && self.shared() < unsent + bytes {
            return None;
        }
        if let Some(memory) = self.memory.try_enter(bytes) {
            return Some(memory);
        }
        let _turn = match state {
            Some(_) if 0 < unsent => return None,
            Some(state) => Some(state.try_wait_turn()?),
            None => None,
        };
        let until = Instant::now() + ADMISSION_TIMEOUT;
        loop {
            match timeout(POLL_INTERVAL, self.memory.enter(bytes)).await {
                Ok(memory) => return Some(memory),
                Err(_) if until < Instant::now() => return None,
                Err(_) => self.close_stalled(),
            }
        }
    }

    /// If more than a quarter of the memory is in use, closes the connections that have stalled longest, to free an
    /// eighth.
    pub(crate) fn close_stalled(&self) {
        if self.memory.taken() <= self.memory.most() / 4 {
            return;
        }
        // If another thread holds the lock, it is already doing this.
        let Ok(mut connections) = self.connections.try_lock() else { return };
        let now = Instant::now();
        if connections.last_check.is_some_and(|last_check| now < last_check + POLL_INTERVAL) {
            return;
        }
        connections.last_check = Some(now);
        let stalled = connections.states.values().filter_map(|(state, _)| {
            let since = state.stalled_since()?;
            (SPARED <= now.saturating_duration_since(since)).then_some((since, state))
        });
        let mut stalled: Vec<_> = stalled.collect();
        stalled.sort_unstable_by_key(|(since, _)| *since);
        let mut freed = 0;
        for (_, state) in stalled {
            if self.memory.most() / 8 <= freed {
                return;
            }
            freed += state.unsent_bytes();
            state.end(Ended::UnsentFull);
        }
    }

    fn connections(&self) -> MutexGuard<'_, UnsentConnections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty reservation, for a rejection that must be sent in any case.
    pub(crate) fn empty_reservation(&self) -> Held {
        self.memory.try_enter(0).expect("a reservation of 0 bytes always fits")
    }

    /// The body of a response, counted until it is sent.
    pub(crate) fn count(
        self: &Arc<Self>,
        bytes: Bytes,
        memory: Held,
        state: Option<Arc<ConnectionState>>,
    ) -> Body {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(state) = &state {
            state.add_unsent(number, bytes.len());
            let mut connections = self.connections();
            connections.states.entry(key(state)).or_insert_with(|| (state.clone(), 0)).1 += 1;
        }
        let response = Arc::new(TrackedResponse { responses: self.clone(), state, number });
        Body::new(Rest { bytes, memory, response })
    }
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.bytes.len().min(PIECE);
        let bytes = self.bytes.split_to(length);
        let memory = if self.bytes.is_empty() {
            self.memory.take()
        } else {
            self.memory.split_bytes(length)
        };
        let piece = Piece { bytes, response: self.response.clone(), _memory: memory };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(state) = &self.response.state {
            state.record_taken(self.response.number, self.bytes.len(), false);
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(state) = self.response.state.as_ref().filter(|_| !self.bytes.is_empty()) {
            state.record_taken(self.response.number, self.bytes.len(), false);
        }
    }
}

impl Drop for TrackedResponse {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.record_taken(self.number, 0, true);
            if let Entry::Occupied(mut entry) =
                self.responses.connections().states.entry(key(state))
            {
                entry.get_mut().1 -= 1;
                if entry.get().1 == 0 {
                    entry.remove();
                }
            }
        }
    }
}

/// The address of the state, which identifies a connection as long as it is open.
fn key(state: &Arc<ConnectionState>) -> usize {
    Arc::as_ptr(state).addr()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::http::connection::state::Traffic;

    async fn counted(
        responses: &Arc<UnsentResponses>,
        bytes: usize,
        state: Option<Arc<ConnectionState>>,
    ) -> Body {
        let memory = responses.admit(bytes, state.as_deref()).await.expect("memory");
        responses.count(vec![1; bytes].into(), memory, state)
    }

    #[tokio::test]
    async fn bytes_count_until_the_last_reference_is_dropped() {
        let responses = UnsentResponses::new(1 << 20);
        let state = ConnectionState::new(Arc::new(Traffic::default()), None);
        let mut body = counted(&responses, 40_000, Some(state.clone())).await;
        assert_eq!((responses.bytes(), state.unsent_bytes()), (40 << 10, 40_000));
        assert_eq!(body.size_hint().exact(), Some(40_000));

        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.expect("in memory").into_data().expect("data"));
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
        drop(body);
        assert_eq!((responses.bytes(), state.unsent_bytes()), (40 << 10, 40_000));

        let slice = pieces[0].slice(5..6);
        pieces.clear();
        assert_eq!((responses.bytes(), state.unsent_bytes()), (16 << 10, 16_384));
        assert!(state.stalled_since().is_some());
        drop(slice);
        assert_eq!((responses.bytes(), state.unsent_bytes()), (0, 0));
        assert_eq!(state.stalled_since(), None);
        assert!(responses.connections().states.is_empty());
    }

    #[tokio::test]
    async fn a_dropped_response_does_not_count() {
        let responses = UnsentResponses::new(1 << 20);
        let state = ConnectionState::new(Arc::new(Traffic::default()), None);
        drop(counted(&responses, 5000, Some(state.clone())).await);
        assert_eq!((responses.bytes(), state.unsent_bytes(), state.stalled_since()), (0, 0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_stalled_longest_makes_room() {
        let responses = UnsentResponses::new(100 << 10);
        let [first, second, third] =
            [(); 3].map(|()| ConnectionState::new(Arc::new(Traffic::default()), None));
        let body = counted(&responses, 60 << 10, Some(first.clone())).await;
        tokio::time::advance(SPARED).await;
        let _other = counted(&responses, 30 << 10, Some(second)).await;

        let (memory, reason) = tokio::join!(responses.admit(50 << 10, Some(&third)), async {
            let reason = first.end_requested().await;
            drop(body);
            reason
        });

        assert!(memory.is_some());
        assert_eq!(reason, Ended::UnsentFull);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_is_rejected_if_no_connection_is_stalled() {
        let responses = UnsentResponses::new(100 << 10);
        let _all = responses.admit(1 << 30, None).await.expect("the largest, alone");
        assert!(responses.admit(1, None).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_with_unsent_responses_leave_room_for_others() {
        let responses = UnsentResponses::new(1 << 20);
        let mut held = Vec::new();
        for _ in 0..50 {
            let state = ConnectionState::new(Arc::new(Traffic::default()), None);
            for _ in 0..100 {
                if let Some(memory) = responses.admit(4 << 10, Some(&state)).await {
                    held.push(responses.count(
                        vec![1; 4 << 10].into(),
                        memory,
                        Some(state.clone()),
                    ));
                }
            }
        }
        let honest = ConnectionState::new(Arc::new(Traffic::default()), None);
        assert!(responses.admit(4 << 10, Some(&honest)).await.is_some());
    }
}
