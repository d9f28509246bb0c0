//! `GET /v2` and the routes below it that need no model: health, and what the server and its model are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::{BYTES, FP32, IMAGE, OUTPUT, PIXELS};
use crate::http::error::{Fault, Problem};
use crate::http::request::named::Named;
use crate::http::response;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceServer)]
struct Server {
    #[schema(example = "siamese")]
    name: &'static str,
    version: &'static str,
    extensions: [&'static str; 1],
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceLive)]
struct Live {
    #[serde(rename = "live")]
    is_live: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceReady)]
struct Ready {
    #[serde(rename = "ready")]
    is_ready: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceModelReady)]
struct ModelReady<'a> {
    name: &'a str,
    #[serde(rename = "ready")]
    is_ready: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceModel)]
struct Model<'a> {
    name: &'a str,
    /// One: the model's digest.
    versions: [&'a str; 1],
    #[schema(example = "onnxruntime_onnx")]
    platform: &'static str,
    /// A request has one of them.
    inputs: [Tensor; 2],
    outputs: [Tensor; 1],
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceTensor)]
struct Tensor {
    name: &'static str,
    datatype: &'static str,
    /// The length of each axis; -1 if requests choose it.
    shape: Vec<i64>,
}

impl Tensor {
    /// A tensor with a row for each image.
    fn new(name: &'static str, datatype: &'static str, of_image: &[usize]) -> Self {
        let lengths = of_image.iter().map(|length| i64::try_from(*length).unwrap_or(i64::MAX));
        Self { name, datatype, shape: std::iter::once(-1).chain(lengths).collect() }
    }
}

/// Get the server's name and extensions
#[utoipa::path(get, path = "/v2", responses((status = 200, description = "The server.", body = Server)))]
pub(crate) async fn server() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    response::json(&Server { name: "siamese", version, extensions: ["binary_tensor_data"] })
}

/// Check whether the process is alive
#[utoipa::path(get, path = "/v2/health/live", responses((status = 200, description = "The process is alive.", body = Live)))]
pub(crate) async fn live() -> Response {
    response::json(&Live { is_live: true })
}

/// Check whether the server is ready to receive requests
#[utoipa::path(get, path = "/v2/health/ready", responses((status = 200, description = "The server is ready.", body = Ready)))]
pub(crate) async fn ready(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.engine.ready().map_err(|why| Fault::NotReady(why.to_string()))?;
    Ok(response::json(&Ready { is_ready: true }))
}

/// Get the inputs and the output of a model
#[utoipa::path(
    get,
    path = "/v2/models/{name}",
    params(("name" = String, Path, description = "The model's name or digest.")),
    responses((status = 200, description = "The model in service.", body = Model))
)]
pub(crate) async fn model(Named(deployment): Named) -> Response {
    let model = &deployment.model;
    response::json(&Model {
        name: deployment.name.as_str(),
        versions: [&model.digest],
        platform: "onnxruntime_onnx",
        inputs: [
            Tensor::new(IMAGE, BYTES, &[]),
            Tensor::new(PIXELS, FP32, &model.card.preprocessing.shape()),
        ],
        outputs: [Tensor::new(OUTPUT, FP32, &[model.width])],
    })
}

/// Check whether a model is ready to receive requests
#[utoipa::path(
    get,
    path = "/v2/models/{name}/ready",
    params(("name" = String, Path, description = "The model's name or digest.")),
    responses((status = 200, description = "The model is ready.", body = ModelReady))
)]
pub(crate) async fn model_ready(
    State(service): State<Arc<Service>>,
    Named(deployment): Named,
) -> Result<Response, Problem> {
    let ready = service.engine.readiness().check(&deployment);
    ready.map_err(|why| Fault::NotReady(why.to_string()))?;
    Ok(response::json(&ModelReady { name: deployment.name.as_str(), is_ready: true }))
}
