//! `GET /models`, `/models/{model}` and `/model`: the models and their cards.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::{Description, Signature};
use siamese_core::score::Threshold;
use utoipa::ToSchema;

use crate::engine::deployment::Deployment;
use crate::engine::judgement::{Criterion, Provenance};
use crate::http::request::named::Named;
use crate::http::response;
use crate::http::service::Service;

/// The models of the server. The first one serves requests that name no model.
#[derive(Serialize, ToSchema)]
struct Models<'a> {
    models: Vec<Model<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ListedModel)]
struct Model<'a> {
    /// The name in paths and metrics.
    name: &'a str,
    /// The model in service: the name on its card, and its digest.
    model: Signature<'a>,
    /// Whether its last self-test succeeded and is recent.
    ready: bool,
    /// Whether it finds and aligns a face in each image. Else it embeds whole images.
    aligns_faces: bool,
    /// Whether `/changes` works with it.
    finds_changes: bool,
    /// The numbers of an embedding.
    width: usize,
    in_force: Option<InForce>,
}

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

impl InForce {
    fn of(deployment: &Deployment) -> Option<Self> {
        let judge = deployment.judge(Criterion::InForce).ok()?;
        Some(Self { threshold: judge.threshold(), operating_point: judge.provenance() })
    }
}

/// List the models
///
/// Each model has its own routes below `/models/{model}`, such as `/models/{model}/compare`. The routes without it are those
/// of the first model.
#[utoipa::path(get, path = "/models", responses((status = 200, description = "The models.", body = Models)))]
pub(crate) async fn models(State(service): State<Arc<Service>>) -> Response {
    let deployments = service.engine.deployments();
    let list = deployments.iter().map(|deployment| {
        let model = &deployment.model;
        Model {
            name: deployment.name.as_str(),
            model: model.signature(),
            ready: service.engine.readiness().check(deployment).is_ok(),
            aligns_faces: model.preprocessor.aligns(),
            finds_changes: model.map.is_some() && !model.preprocessor.aligns(),
            width: model.width,
            in_force: InForce::of(deployment),
        }
    });
    response::json(&Models { models: list.collect() })
}

/// Get the model's card
///
/// The card has the model's input, margin, operating points, calibration and provenance. The response also has the
/// device that runs the model, and the threshold in force.
#[utoipa::path(get, path = "/model", responses((status = 200, description = "The card.", body = Served)))]
pub(crate) async fn model(Named(deployment): Named) -> Response {
    response::json(&Served { model: &deployment.model, in_force: InForce::of(&deployment) })
}
