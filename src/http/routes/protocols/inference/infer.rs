//! `POST /v2/models/{name}/infer`: computes embeddings, with the request and response of the Open Inference Protocol.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::request::{Body, ToInfer};
use super::tensor::Tensor;
use super::{FP32, OUTPUT};
use crate::http::error::Problem;
use crate::http::request::named::Named;
use crate::http::request::query::{Choosing, Faces};
use crate::http::request::received::{JSON_LENGTH, Received};
use crate::http::response::numbers::BYTES;
use crate::http::response::{self, timed};
use crate::http::routes::embed::together;
use crate::http::service::Service;
use crate::ops::blocking::compute;

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceResponse)]
struct Inferred<'a> {
    model_name: &'a str,
    /// The model's digest.
    model_version: &'a str,
    /// The name that the request has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    outputs: [Output; 1],
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceOutputTensor)]
struct Output {
    #[schema(example = "embedding")]
    name: &'static str,
    #[schema(example = "FP32")]
    datatype: &'static str,
    /// The number of images, and the width of an embedding.
    shape: [usize; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameters: Option<OutputSize>,
    /// The embeddings, row by row. Absent if they are in binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<Vec<f32>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InferenceOutputSize)]
struct OutputSize {
    /// The bytes of the output, which follows the JSON as little-endian numbers.
    binary_data_size: usize,
}

/// JSON, and the embeddings as little-endian `f32` numbers after it.
#[derive(ToSchema)]
#[schema(as = InferenceBinaryResponse, value_type = String, format = Binary)]
#[expect(dead_code, reason = "it documents the form")]
struct InferredBinary(Vec<u8>);

/// Embed images, by the Open Inference Protocol
///
/// The request has one input: `image`, encoded images, or `pixels`, their pixels after the preprocessing. It fails if one
/// image fails. With the extension for tensors in binary, `Inference-Header-Content-Length` states the length of the JSON,
/// and a tensor follows it. The media type of the request is ignored.
#[utoipa::path(
    post,
    path = "/v2/models/{name}/infer",
    params(
        ("name" = String, Path, description = "The model's name or digest."),
        (
            "Inference-Header-Content-Length" = Option<usize>,
            Header,
            description = "The length of the JSON in bytes, if a tensor in binary follows it."
        ),
        Choosing,
    ),
    request_body(content = Body, content_type = "application/json", example = json!({
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["UDUgMSAxIDI1NQqA"]}]
    })),
    responses((status = 200, description = "The embeddings.", content(
        (Inferred = "application/json", example = json!({
            "model_name": "faces",
            "model_version": "sha256:33950d72...",
            "outputs": [{"name": "embedding", "datatype": "FP32", "shape": [1, 2], "data": [-0.0796, 0.0736]}]
        })),
        (InferredBinary = "application/octet-stream"),
    )))
)]
pub(crate) async fn infer(
    State(service): State<Arc<Service>>,
    _: Named,
    Faces(choice): Faces,
    request: Received<ToInfer>,
) -> Result<Response, Problem> {
    let Received { content: ToInfer { id, tensor, is_binary }, deployment, deadline, .. } = request;
    let model = &deployment.model;
    let images = match tensor {
        Tensor::Images(images) => images,
        Tensor::Pixels(pixels) => {
            let card = model.card.clone();
            compute(move || pixels.sources(&card.preprocessing)).await?
        }
    };
    let embedded = together(&service, &deployment, images, choice, deadline, Tensor::name);
    let (images, timings) = embedded.await?;
    let shape = [images.len(), model.width];
    let numbers = images.iter().flat_map(|image| image.embedding.coordinates()).copied();
    let (data, binary) = if is_binary {
        (None, Some(numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()))
    } else {
        (Some(numbers.collect()), None)
    };
    let parameters = binary.as_ref().map(|binary| OutputSize { binary_data_size: binary.len() });
    let inferred = Inferred {
        model_name: deployment.name.as_str(),
        model_version: &model.digest,
        id,
        outputs: [Output { name: OUTPUT, datatype: FP32, shape, parameters, data }],
    };
    Ok(timed(respond(&inferred, binary), timings))
}

/// A response of JSON. If the output is in binary, it follows the JSON.
fn respond(inferred: &Inferred, binary: Option<Vec<u8>>) -> Response {
    let Some(binary) = binary else { return response::json(inferred) };
    let mut body = serde_json::to_vec(inferred).expect("responses have text keys");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(BYTES)),
        (JSON_LENGTH, HeaderValue::from(body.len())),
    ];
    body.extend_from_slice(&binary);
    (headers, body).into_response()
}
