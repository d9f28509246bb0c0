//! Counts, times and logs every request; and admission, and the responses of no handler.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use siamese_core::causes;

use crate::engine::admission::Limit;
use crate::engine::pipeline::Timings;
use crate::http::error::{Cause, Fault, Problem};
use crate::http::metrics::{Metrics, Route};
use crate::http::request::named::Named;
use crate::http::response::{SERVER_TIMING, server_timing};
use crate::http::service::{LogLimits, Service};
use crate::ops::telemetry::{Line, bounded};

/// The readiness route. Load balancers poll it.
pub(crate) const READYZ: &str = "/readyz";

/// Times and counts every request, and logs every failure once, with its cause.
pub(crate) async fn observe(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let route = Route::of(&request);
    let mut awaited = Awaited { metrics: &service.metrics, route: &route, is_answered: false };
    let mut response = next.run(request).await;
    awaited.is_answered = true;

    let took = begun.elapsed();
    if let Some(timings) = response.extensions().get::<Timings>() {
        let value = server_timing(*timings, took);
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    let problem = response.extensions().get::<Arc<Problem>>().map(AsRef::as_ref);
    let code = problem.map_or("", |problem| problem.fault.code());
    service.metrics.request(&route, response.status(), code, took);
    log(&service.log_limits, route.as_str(), response.status(), problem, took);
    response
}

/// Logs one line for a request: failures and rejections by default, others at the level `debug`.
fn log(
    log_limits: &LogLimits,
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
        ($level:ident, $message:literal) => {
            tracing::$level!(
                route,
                status = code,
                code = fault.code(),
                field = field.as_deref().map(bounded),
                took_ms,
                cause = bounded(&causes(fault)),
                $message
            )
        };
    }
    let is_ours = matches!(fault, Fault::Internal(_));
    let LogLimits { failures, refusals } = log_limits;
    match if is_ours { failures.line() } else { refusals.line() } {
        Line::Write { suppressed } => {
            if 0 < suppressed {
                tracing::warn!(suppressed, "log lines were suppressed by the rate limit");
            }
            if is_ours { line!(error, "request failed") } else { line!(info, "request refused") }
        }
        Line::Suppress if is_ours => line!(debug, "request failed"),
        Line::Suppress => line!(debug, "request refused"),
    }
}

/// A request in progress. If it is dropped before its response, its client has disconnected.
struct Awaited<'a> {
    metrics: &'a Metrics,
    route: &'a Route,
    is_answered: bool,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.metrics.disconnected(self.route);
        }
    }
}

/// Admits requests that need a model, and assigns each to the deployment of the model that it names. If the last self-test failed, or if
/// the limit on requests is reached, it rejects a request before its body arrives. The body counts as arriving until it
/// is complete; only then does the request count as in progress.
pub(crate) async fn admit(
    State(service): State<Arc<Service>>,
    Named(deployment): Named,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(fault) = service.trust(&deployment) {
        return Problem::from(fault).into_response();
    }
    let is_full = service.requests.is_full(&deployment.model.digest);
    request.extensions_mut().insert(deployment);
    if is_full {
        return Problem::from(service.overloaded(Limit::Requests)).into_response();
    }
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let state = head.extensions.get().cloned();
    let Some((body, ended)) = service.bodies.receiving.begin(body, state) else {
        return Problem::from(service.overloaded(Limit::Receiving)).into_response();
    };
    if let Some(limit) = ended {
        service.metrics.body_ended(limit);
    }
    next.run(Request::from_parts(head, body)).await
}

/// Responds to a request that no route matches. `OPTIONS *` asks for no resource: it tests the server, and gets what all
/// of it supports (RFC 9110, 9.3.7).
pub(crate) async fn no_route(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS && uri.path() == "*" {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, "GET,HEAD,POST,OPTIONS")])
            .into_response();
    }
    Problem::from(Fault::NotFound).into_response()
}

pub(crate) async fn method_not_allowed() -> Problem {
    Fault::MethodNotAllowed.into()
}

/// Converts a handler's panic to a response. It affects only one request.
#[expect(clippy::needless_pass_by_value, reason = "the middleware requires this signature")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the panic has no message");
    Problem::from(Fault::Internal(Cause::Panicked(message.to_owned()))).into_response()
}
