//! `GET /openapi.json`: the `OpenAPI` document, generated from the handlers.

mod headers;
mod problems;

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::error::Details;
use super::middleware::dialect::{InferenceError, OpenAiError};
use super::routes::protocols::inference::{infer, metadata};
use super::routes::protocols::openai::{embeddings, models};
use super::routes::{changes, compare, compare_batch, detect, embed, model, pixels, status};
use crate::http::response::asset::Asset;
use headers::Headers;
use problems::Problems;

/// `GET /openapi.json`
pub(crate) async fn document(headers: HeaderMap) -> Response {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| Document::openapi().to_pretty_json().expect("text keys, finite numbers"));
    Asset::new("application/json", TEXT.as_bytes()).respond(&headers)
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Siamese",
        description = "Compares images with a siamese network. The model maps each image to an embedding. The L2 \
                       distance between two embeddings is compared with a calibrated threshold.\n\nSupported image \
                       formats: JPEG, PNG, WebP, GIF (first frame), BMP, TIFF and PNM, and HEIC in a build with the \
                       feature `heic`. Every response has an \
                       `X-Request-Id` header. A response that ran the model also has a `Server-Timing` header. Errors \
                       are problem details (RFC 9457) with a `code` that never changes. Routes under `/v1` have the \
                       requests, responses and errors of OpenAI's API, and those under `/v2` of the Open Inference \
                       Protocol."
    ),
    paths(
        compare::compare,
        compare_batch::compare_batch,
        changes::changes,
        embed::embed,
        detect::detect,
        pixels::pixels,
        model::model,
        embeddings::embeddings,
        models::models,
        models::model,
        metadata::server,
        metadata::live,
        metadata::ready,
        metadata::model,
        metadata::model_ready,
        infer::infer,
        status::livez,
        status::readyz,
        status::metrics
    ),
    components(schemas(Details, OpenAiError, InferenceError)),
    modifiers(&Keys, &Problems, &Headers),
    servers((url = "/"))
)]
struct Document;

/// Adds the security scheme: if the server has keys, all routes but health, metrics and pages require one.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut openapi::OpenApi) {
        const KEY: &str = "key";
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(KEY, SecurityScheme::Http(bearer));
        for (path, item) in &mut document.paths.paths {
            if !problems::is_open(path) {
                let needed = SecurityRequirement::new(KEY, Vec::<String>::new());
                for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                    operation.security = Some(vec![SecurityRequirement::default(), needed.clone()]);
                }
            }
        }
    }
}
