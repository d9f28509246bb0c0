//! `GET /livez`, `GET /readyz`: neither waits for a queue.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::answer;
use super::error::{Fault, Problem};
use super::service::Service;

pub(super) async fn livez() -> Response {
    answer::json(&json!({"status": "alive"}))
}

pub(super) async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.readiness.check().map_err(|why| Fault::NotReady(why.to_string()))?;
    let age = service.readiness.age();
    Ok(answer::json(&json!({"status": "ready", "self_test_age_ms": age.as_millis()})))
}
