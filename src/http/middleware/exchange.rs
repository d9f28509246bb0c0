//! Counts, times and logs every request; and admission, and the responses of no handler.

use std::any::Any;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::report::Report;
use crate::engine::admission::Limit;
use crate::engine::pipeline::Timings;
use crate::http::error::{Cause, Fault, Problem};
use crate::http::request::named::Named;
use crate::http::response::{SERVER_TIMING, server_timing};
use crate::http::service::Service;

/// The readiness route. Load balancers poll it.
pub(crate) const READYZ: &str = "/readyz";

/// Times, counts and logs every request, each once.
pub(crate) async fn observe(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let report = Report::begin(&service, &mut request);
    let mut response = next.run(request).await;

    let took = report.elapsed();
    if let Some(timings) = response.extensions().get::<Timings>() {
        let value = server_timing(*timings, took);
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    // For the trace.
    if let Some(caller) = report.caller().cloned() {
        response.extensions_mut().insert(caller);
    }
    report.end(&response, took);
    response
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
