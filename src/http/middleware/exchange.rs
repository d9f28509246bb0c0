//! Around every request: its count and its line in the log; and the answers of no handler.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use siamese_core::causes;

use crate::engine::admission::Limit;
use crate::engine::pipeline::Timings;
use crate::http::error::{Cause, Fault, Problem};
use crate::http::metrics::{Metrics, Route};
use crate::http::response::{SERVER_TIMING, server_timing};
use crate::http::service::{Floods, Service};
use crate::ops::telemetry::{Line, bounded};

/// Where balancers ask, each at its own pace.
pub(crate) const READYZ: &str = "/readyz";

/// Times and counts every request, and logs every failure once, with its cause.
pub(crate) async fn observe(
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
    if let Some(timings) = response.extensions().get::<Timings>() {
        let value = server_timing(*timings, took);
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    let problem = response.extensions().get::<Arc<Problem>>().map(AsRef::as_ref);
    let code = problem.map_or("", |it| it.fault.code());
    service.metrics.request(&route, response.status(), code, took);
    note(&service.floods, route.as_str(), response.status(), problem, took);
    response
}

/// The one line that a request leaves in the log: for each failure by default, for others where it is asked for.
fn note(
    floods: &Floods,
    route: &str,
    status: StatusCode,
    problem: Option<&Problem>,
    took: Duration,
) {
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
                field = field.as_deref().map(bounded),
                took_ms,
                cause = bounded(&causes(fault)),
                $said
            )
        };
    }
    let is_ours = matches!(fault, Fault::Internal(_));
    let Floods { failures, refusals } = floods;
    match if is_ours { failures.line() } else { refusals.line() } {
        Line::Write { left_out } => {
            if 0 < left_out {
                tracing::warn!(left_out, "such lines came faster than the log has room for");
            }
            if is_ours { line!(error, "request failed") } else { line!(info, "request refused") }
        }
        Line::LeaveOut if is_ours => line!(debug, "request failed"),
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

/// Lets requests for work send their bodies, each to the model that is in service now, and none while the tower can't be trusted. They are let in to be worked on
/// once their bodies are whole; where there is no room for that, none need send its own.
pub(crate) async fn admit(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let deployment = service.engine.deployment();
    if let Err(why) = service.engine.readiness().trust(&deployment) {
        return Problem::from(Fault::NotReady(why.to_string())).into_response();
    }
    request.extensions_mut().insert(deployment);
    if service.requests.is_full() {
        return Problem::from(service.overloaded(Limit::Requests)).into_response();
    }
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let life = head.extensions.get().cloned();
    let Some((body, ended)) = service.bodies.receiving.begin(body, life) else {
        return Problem::from(service.overloaded(Limit::Receiving)).into_response();
    };
    if let Some(limit) = ended {
        service.metrics.body_ended(limit);
    }
    next.run(Request::from_parts(head, body)).await
}

pub(crate) async fn not_found() -> Problem {
    Fault::NotFound.into()
}

pub(crate) async fn method_not_allowed() -> Problem {
    Fault::MethodNotAllowed.into()
}

/// A handler's panic costs its request.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no word of why");
    Problem::from(Fault::Internal(Cause::Panicked(said.to_owned()))).into_response()
}
