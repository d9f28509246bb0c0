//! `GET /model`: the model's card.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Description;
use siamese_core::score::Threshold;
use utoipa::ToSchema;

use crate::engine::judgement::{Criterion, Judge, Provenance};
use crate::http::response;
use crate::http::service::Service;

/// The card, and the threshold that applies if a request names none.
#[derive(Serialize, ToSchema)]
#[schema(as = Card)]
struct Served<'a> {
    #[serde(flatten)]
    model: &'a Description,
    in_force: Option<InForce>,
}

#[derive(Serialize, ToSchema)]
struct InForce {
    threshold: Threshold,
    operating_point: Provenance,
}

/// Get the model's card
///
/// The card has the model's input, margin, operating points, calibration and provenance. The response also has the
/// device that runs the model, and the threshold in force.
#[utoipa::path(get, path = "/model", responses((status = 200, description = "The card.", body = Served)))]
pub(crate) async fn model(State(service): State<Arc<Service>>) -> Response {
    let deployment = service.engine.deployment();
    let model = deployment.model.as_ref();
    let judge = Judge::new(Criterion::InForce, service.settings().model.threshold, &model.card);
    let in_force = judge
        .ok()
        .map(|judge| InForce { threshold: judge.threshold(), operating_point: judge.provenance() });
    response::json(&Served { model, in_force })
}
