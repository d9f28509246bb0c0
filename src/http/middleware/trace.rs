//! Traces requests, if a collector is configured.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::exchange::READYZ;
use super::identify::REQUEST_ID;
use super::report::method_name;
use crate::engine::Stage;
use crate::engine::pipeline::Timings;
use crate::http::error::Problem;
use crate::http::metrics::Route;
use crate::ops::keys::Caller;
use crate::ops::traces::{Parent, Traces, Value};

/// Routes that are polled often. They are traced only if the request is part of a trace.
const PROBED: [&str; 3] = ["/livez", READYZ, "/metrics"];

/// Adds tracing to all of these routes.
pub fn traced(routes: Router, traces: Traces) -> Router {
    routes.layer(from_fn_with_state(traces, trace))
}

async fn trace(State(traces): State<Traces>, mut request: Request, next: Next) -> Response {
    let route = Route::of(&request);
    let parent = parent(request.headers());
    let probe = parent.is_none() && PROBED.contains(&route.as_str());
    let Some(mut span) = (!probe).then(|| traces.begin(parent)).flatten() else {
        return next.run(request).await;
    };
    let method = method_name(request.method());
    span.name(format!("{method} {}", route.as_str()));
    span.set("http.request.method", Value::Text(method.to_owned()));
    span.set("http.route", Value::Text(route.as_str().to_owned()));
    request.extensions_mut().insert(span.trace());

    // If the client disconnects, the span ends without a status.
    let response = next.run(request).await;

    let status = response.status();
    span.set("http.response.status_code", Value::Number(status.as_u16().into()));
    if let Some(id) = response.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()) {
        span.set("siamese.request_id", Value::Text(id.to_owned()));
    }
    if let Some(caller) = response.extensions().get::<Arc<Caller>>()
        && !caller.name().is_empty()
    {
        span.set("siamese.key", Value::Text(caller.name().to_string()));
    }
    if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
        span.set("error.type", Value::Text(problem.fault.code().to_owned()));
    }
    if status.is_server_error() {
        span.fail();
    }
    if let Some(timings) = response.extensions().get::<Timings>() {
        span.stage(Stage::Decode.as_str(), timings.decode);
        if !timings.search.is_zero() {
            span.stage(Stage::Search.as_str(), timings.search);
        }
        span.stage(Stage::Queue.as_str(), timings.queue);
        span.stage(Stage::Model.as_str(), timings.model);
    }
    response
}

/// The parent span of the request; none if the header is given twice.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut values = headers.get_all("traceparent").iter();
    let first = values.next()?;
    values.next().is_none().then(|| Parent::parse(first.as_bytes())).flatten()
}
