//! `GET /livez`, `/readyz` and `/metrics`: the state of the service. They never wait for a queue.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::cache::Cache;
use crate::http::error::{Fault, Problem};
use crate::http::metrics::{Gauges, ModelGauges, plain};
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
    /// The longest time since the last successful self-test of a model, in milliseconds.
    self_test_age_ms: u128,
}

/// Check whether the process is alive
#[utoipa::path(get, path = "/livez", responses((status = 200, description = "The process is alive.", body = Alive)))]
pub(crate) async fn livez() -> Response {
    response::json(&Alive { status: "alive" })
}

/// Check whether the server is ready to receive requests
///
/// The server is not ready during shutdown, and if the last self-test of a model failed or is too old. The self-test runs a known
/// pair through each model.
#[utoipa::path(get, path = "/readyz", responses((status = 200, description = "The server is ready.", body = Ready)))]
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.engine.ready().map_err(|why| Fault::NotReady(why.to_string()))?;
    let deployments = service.engine.deployments();
    let ages = deployments.iter().map(|deployment| deployment.self_test.age().as_millis());
    let self_test_age_ms = ages.max().unwrap_or_default();
    Ok(response::json(&Ready { status: "ready", self_test_age_ms }))
}

/// Get metrics for Prometheus
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "The metrics as text.", content(
    (String = "text/plain"),
    (String = "application/openmetrics-text"),
))))]
pub(crate) async fn metrics(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

    let deployments = service.engine.deployments();
    service.engine.reap();
    let models = deployments.iter().map(|deployment| ModelGauges {
        name: deployment.name.as_str(),
        model: &deployment.model,
        is_ready: service.engine.readiness().check(deployment).is_ok(),
        drift: deployment.drift(),
        cached_bytes: deployment.cache.as_ref().map_or(0, Cache::bytes),
        queue_depth: deployment.batcher.depth(),
        reserved: deployment.batcher.reserved(),
        bulk_images: deployment.bulk_images(),
        self_test_age: deployment.self_test.age(),
        longest_run: deployment.batcher.longest_run(),
    });
    let models: Vec<ModelGauges> = models.collect();
    let text = service.metrics.text(&Gauges {
        settings: service.settings(),
        models: &models,
        body_bytes: service.bodies.bytes(),
        receiving: service.bodies.receiving.bodies(),
        answer_bytes: service.responses.bytes(),
        in_flight: service.requests.taken(),
        ready: service.engine.ready().is_ok(),
        lanes: service.engine.lanes(),
    });
    let (kind, text) =
        if accept::open_metrics(&headers) { (OPEN_METRICS, text) } else { (PLAIN, plain(&text)) };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
