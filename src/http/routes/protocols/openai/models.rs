//! `GET /v1/models` and `GET /v1/models/{id}`: the models in service.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::deployment::Deployment;
use crate::http::request::named::Named;
use crate::http::response;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiModels)]
struct Models<'a> {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiModel)]
struct Model<'a> {
    /// The model's name.
    id: &'a str,
    #[schema(example = "model")]
    object: &'static str,
    /// Always 0, because a card states no time.
    created: u64,
    #[schema(example = "siamese")]
    owned_by: &'static str,
    /// The model's digest. It is no part of `OpenAI`'s API.
    digest: &'a str,
}

impl<'a> Model<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        let (id, digest) = (deployment.name.as_str(), &deployment.model.digest);
        Self { id, object: "model", created: 0, owned_by: "siamese", digest }
    }
}

/// List the models, as `OpenAI` does
#[utoipa::path(get, path = "/v1/models", responses((status = 200, description = "The models in service.", body = Models)))]
pub(crate) async fn models(State(service): State<Arc<Service>>) -> Response {
    let deployments = service.engine.deployments();
    let data = deployments.iter().map(|deployment| Model::of(deployment)).collect();
    response::json(&Models { object: "list", data })
}

/// Get a model, as `OpenAI` does
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    params(("id" = String, Path, description = "The model's name or digest.")),
    responses((status = 200, description = "The model in service.", body = Model))
)]
pub(crate) async fn model(Named(deployment): Named) -> Response {
    response::json(&Model::of(&deployment))
}
