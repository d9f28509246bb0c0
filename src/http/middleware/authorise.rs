//! Authorisation: requests need an API key if keys are configured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep_until};

use super::report::Facts;
use crate::http::connection::state::ConnectionState;
use crate::http::error::{Fault, Problem};
use crate::http::service::Service;
use crate::ops::keys::{Caller, Keys};

/// The time between two rejections, for all clients together: at most 50 guesses per second.
const PAUSE: Duration = Duration::from_millis(20);

/// Admits requests with a valid key within its rate limits, and delays the rejection of those without one.
pub(crate) struct Guard {
    keys: Arc<Keys>,
    service: Arc<Service>,
    queue: RejectionQueue,
}

/// The queue of rejections. They leave one at a time.
struct RejectionQueue(Mutex<Instant>);

impl Guard {
    pub(crate) fn new(keys: Arc<Keys>, service: Arc<Service>) -> Self {
        service.metrics.expect_keys(keys.names());
        Self { keys, service, queue: RejectionQueue(Mutex::new(Instant::now())) }
    }
}

impl RejectionQueue {
    /// The time at which a new rejection is sent: after all earlier ones, but not later than after `longest`.
    fn join(&self, longest: Duration) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (turn, deadline) = (now.max(*next), now + longest);
        if deadline <= turn {
            // It takes no turn from others that can still have one.
            return deadline;
        }
        *next = turn + PAUSE;
        turn
    }
}

/// Rejects a request without a valid key or beyond the rate limits of its key, before its body is read. A request with a
/// valid key never waits.
pub(crate) async fn authorise(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = bearer(request.headers()).and_then(|key| guard.keys.find(key));
    if let Some(state) = request.extensions().get::<Arc<ConnectionState>>() {
        state.record_key(caller.is_some());
    }
    if let Some(caller) = caller {
        identify(&request, &caller);
        if let Err(limited) = caller.admit() {
            return Problem::from(Fault::RateLimited(limited)).into_response();
        }
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    }
    // The delayed rejection needs no memory for the request.
    drop(request);
    // The server's deadline, not the request's: a client that guesses could choose a short one.
    let longest = guard.service.settings().server.deadline();
    sleep_until(guard.queue.join(longest)).await;
    Problem::from(Fault::Unauthorized).into_response()
}

/// Tells the log and the report of a request whose key it has.
fn identify(request: &Request, caller: &Arc<Caller>) {
    if !caller.name().is_empty() {
        tracing::Span::current().record("key", &**caller.name());
    }
    if let Some(facts) = request.extensions().get::<Arc<Facts>>() {
        facts.identify(caller.clone());
    }
}

/// The key after `Bearer` in `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}
