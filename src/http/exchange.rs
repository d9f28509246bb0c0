//! Around every request: its id, its count and its line in the log; and the answers of no handler.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use siamese_core::causes;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::answer::{SERVER_TIMING, server_timing};
use super::error::{Cause, Fault, Problem};
use super::flood::{Flood, Line};
use super::metrics::{Full, Metrics, Route};
use super::service::{Service, Spent};
use crate::traces::TraceId;

/// Where balancers ask, each at its own pace.
pub(super) const READYZ: &str = "/readyz";

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id: the client's, where it sent a sane one.
pub(super) async fn identify(request: Request, next: Next) -> Response {
    let id = match request.headers().get(&REQUEST_ID) {
        Some(id) if is_sane(id) => id.clone(),
        _ => {
            let id = Uuid::new_v4().simple().to_string();
            HeaderValue::from_str(&id).expect("hex digits are a value")
        }
    };
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), trace = Empty);
    if let Some(trace) = request.extensions().get::<TraceId>() {
        span.record("trace", tracing::field::display(trace));
    }
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// What can stand in a log and in a header without harm.
fn is_sane(id: &HeaderValue) -> bool {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=128).contains(&id.len()) && id.as_bytes().iter().all(sane)
}

/// Times and counts every request, and logs every failure once, with its cause.
pub(super) async fn observe(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let route = Route::of(&request);
    let mut awaited = Awaited { metrics: &service.metrics, route: &route, answered: false };
    let mut response = next.run(request).await;
    awaited.answered = true;

    let took = begun.elapsed();
    if let Some(spent) = response.extensions().get::<Spent>() {
        let value = server_timing(*spent, took);
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    let problem = response.extensions().get::<Arc<Problem>>().map(AsRef::as_ref);
    let code = problem.map_or("", |it| it.fault.code());
    service.metrics.request(&route, response.status(), code, took);
    note(&service.flood, route.as_str(), response.status(), problem, took);
    response
}

/// The one line that a request leaves in the log: for each failure by default, for others where it is asked for.
fn note(flood: &Flood, route: &str, status: StatusCode, problem: Option<&Problem>, took: Duration) {
    let (code, took_ms) = (status.as_u16(), took.as_secs_f64() * 1e3);
    let Some(Problem { fault, field }) = problem else {
        return tracing::debug!(route, status = code, took_ms, "request answered");
    };
    macro_rules! line {
        ($level:ident, $said:literal) => {
            tracing::$level!(
                route,
                status = code,
                code = fault.code(),
                field,
                took_ms,
                cause = causes(fault),
                $said
            )
        };
    }
    if let Fault::Internal(_) = fault {
        return line!(error, "request failed");
    }
    match flood.line() {
        Line::Write { left_out } => {
            if 0 < left_out {
                tracing::warn!(left_out, "refusals came faster than the log has lines for");
            }
            line!(info, "request refused");
        }
        Line::LeaveOut => line!(debug, "request refused"),
    }
}

/// A request in hand; dropped before it is answered, it is counted as a client's departure.
struct Awaited<'a> {
    metrics: &'a Metrics,
    route: &'a Route,
    answered: bool,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.metrics.departed(self.route);
        }
    }
}

/// Lets in as many requests for work as the server can hold, and none while the tower can't be trusted.
pub(super) async fn admit(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(why) = service.readiness.trust(&service.in_service()) {
        return Problem::from(Fault::NotReady(why.to_string())).into_response();
    }
    match service.in_flight.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => Problem::from(service.overloaded(Full::Requests)).into_response(),
    }
}

pub(super) async fn not_found() -> Problem {
    Fault::NotFound.into()
}

pub(super) async fn method_not_allowed() -> Problem {
    Fault::MethodNotAllowed.into()
}

/// A handler's panic costs its request.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no word of why");
    Problem::from(Fault::Internal(Cause::Panicked(said.to_owned()))).into_response()
}
