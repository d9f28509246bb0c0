//! `GET /livez`, `/readyz`, `/metrics`: what answers about the service itself, and waits for no queue.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::accept;
use super::answer;
use super::error::{Fault, Problem};
use super::metrics::{Now, plain};
use super::service::Service;
use crate::cache::Cache;

pub(super) async fn livez() -> Response {
    answer::json(&json!({"status": "alive"}))
}

pub(super) async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.ready().map_err(|why| Fault::NotReady(why.to_string()))?;
    let age = service.in_service().self_test.age();
    Ok(answer::json(&json!({"status": "ready", "self_test_age_ms": age.as_millis()})))
}

pub(super) async fn metrics(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

    let on = service.in_service();
    let most = service.settings.server.max_in_flight.get();
    let text = service.metrics.text(&Now {
        settings: &service.settings,
        tower: &on.tower,
        cached_bytes: on.cache.as_ref().map_or(0, Cache::bytes),
        body_bytes: service.bodies.taken(),
        in_flight: most - service.in_flight.available_permits(),
        queue_depth: on.batcher.depth(),
        places_taken: on.batcher.places_taken(),
        bulk_pictures: service.many.pictures(),
        ready: service.ready().is_ok(),
        self_test_age: on.self_test.age(),
        longest_run: on.batcher.longest_run(),
    });
    let (kind, text) =
        if accept::open_metrics(&headers) { (OPEN_METRICS, text) } else { (PLAIN, plain(&text)) };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
