//! `GET /model`: the tower's card.

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

/// The card, and the threshold that rules here where a request names none.
#[derive(Serialize, ToSchema)]
#[schema(as = Card)]
struct Served<'a> {
    #[serde(flatten)]
    tower: &'a Description,
    in_force: Option<InForce>,
}

#[derive(Serialize, ToSchema)]
struct InForce {
    threshold: Threshold,
    operating_point: Provenance,
}

/// The tower's card
///
/// Its input, margin, operating points, calibration and provenance, what really runs it, and the threshold in force.
#[utoipa::path(get, path = "/model", responses((status = 200, description = "The card.", body = Served)))]
pub(crate) async fn model(State(service): State<Arc<Service>>) -> Response {
    let on = service.engine.deployment();
    let tower = on.tower.as_ref();
    let judge = Judge::new(Criterion::InForce, service.settings().tower.threshold, &tower.card);
    let in_force = judge
        .ok()
        .map(|it| InForce { threshold: it.threshold(), operating_point: it.provenance() });
    response::json(&Served { tower, in_force })
}
