//! Who may ask: those who send a key, where keys are set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep_until};

use crate::http::connection::life::Life;
use crate::http::error::{Fault, Problem};
use crate::http::service::Service;
use crate::ops::keys::Keys;

/// The time between two refusals of all clients together: guesses come to no more than 50 a second.
const PAUSE: Duration = Duration::from_millis(20);

/// Lets in those who send a key, and makes all others wait in one line for their refusal.
pub(crate) struct Guard {
    keys: Arc<Keys>,
    service: Arc<Service>,
    line: Line,
}

/// A line of those who are refused, one of whom goes at a time.
struct Line(Mutex<Instant>);

impl Guard {
    pub(crate) fn new(keys: Arc<Keys>, service: Arc<Service>) -> Self {
        Self { keys, service, line: Line(Mutex::new(Instant::now())) }
    }
}

impl Line {
    /// When whoever comes now is to go: after those before them, but at the end of the longest wait at the latest.
    fn join(&self, longest: Duration) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (turn, deadline) = (now.max(*next), now + longest);
        if deadline <= turn {
            // They go then, and take no turn of those who may still have one.
            return deadline;
        }
        *next = turn + PAUSE;
        turn
    }
}

/// Refuses a request without a valid key, before its body is read. A valid one never waits.
pub(crate) async fn authorise(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let has_key = bearer(request.headers()).is_some_and(|key| guard.keys.hold(key));
    if let Some(life) = request.extensions().get::<Arc<Life>>() {
        life.asked(has_key);
    }
    if has_key {
        return next.run(request).await;
    }
    // Nothing of it is held while it waits.
    drop(request);
    // Not the deadline that the request asks for: a guess could make that as short as it likes.
    let longest = guard.service.settings().server.deadline();
    sleep_until(guard.line.join(longest)).await;
    Problem::from(Fault::Unauthorized).into_response()
}

/// What stands after `Bearer` in `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}
