//! `GET /livez`, `/readyz`, `/metrics`: what answers about the service itself, and waits for no queue.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::cache::Cache;
use crate::http::error::{Fault, Problem};
use crate::http::metrics::{Now, plain};
use crate::http::request::accept;
use crate::http::response;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
struct Alive {
    #[schema(example = "alive")]
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Ready {
    #[schema(example = "ready")]
    status: &'static str,
    /// How long ago the last self-test was right.
    self_test_age_ms: u128,
}

/// Whether the process answers
#[utoipa::path(get, path = "/livez", responses((status = 200, description = "It does.", body = Alive)))]
pub(crate) async fn livez() -> Response {
    response::json(&Alive { status: "alive" })
}

/// Whether work should be sent here
///
/// Not while it stops, nor where the last self-test, a known pair through the real tower, was wrong or is too old.
#[utoipa::path(get, path = "/readyz", responses((status = 200, description = "It should.", body = Ready)))]
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.engine.ready().map_err(|why| Fault::NotReady(why.to_string()))?;
    let self_test_age_ms = service.engine.deployment().self_test.age().as_millis();
    Ok(response::json(&Ready { status: "ready", self_test_age_ms }))
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "Counters and gauges.", content(
    (String = "text/plain"),
    (String = "application/openmetrics-text"),
))))]
pub(crate) async fn metrics(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

    let on = service.engine.deployment();
    service.engine.reap();
    let text = service.metrics.text(&Now {
        settings: service.settings(),
        tower: &on.tower,
        cached_bytes: on.cache.as_ref().map_or(0, Cache::bytes),
        body_bytes: service.bodies.bytes(),
        receiving: service.bodies.receiving.bodies(),
        answer_bytes: service.answers.bytes(),
        in_flight: service.requests.taken(),
        queue_depth: on.batcher.depth(),
        places_taken: on.batcher.places_taken(),
        bulk_pictures: service.engine.bulk_images(),
        ready: service.engine.ready().is_ok(),
        self_test_age: on.self_test.age(),
        longest_run: on.batcher.longest_run(),
        lanes: service.engine.lanes(),
    });
    let (kind, text) =
        if accept::open_metrics(&headers) { (OPEN_METRICS, text) } else { (PLAIN, plain(&text)) };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
