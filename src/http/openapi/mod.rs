//! `GET /openapi.json`: the `OpenAPI` document, generated from the handlers.

mod headers;
mod problems;
mod schemas;

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use siamese_core::changes::Align;
use siamese_core::model::Choice;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, Required, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::error::Details;
use super::middleware::dialect::{InferenceError, OpenAiError};
use super::request::changes::View;
use super::request::query::Explain;
use super::routes::protocols::inference::{infer, metadata};
use super::routes::protocols::openai::{embeddings, models as openai_models};
use super::routes::{changes, compare, compare_batch, detect, embed, models, pixels, status};
use crate::http::response::asset::Asset;
use headers::Headers;
use problems::Problems;
use schemas::Schemas;

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
        models::model,
        models::models,
        embeddings::embeddings,
        openai_models::models,
        openai_models::model,
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
    components(schemas(Details, OpenAiError, InferenceError, Choice, Explain, Align, View)),
    tags(
        (name = "images", description = "Compare and embed images."),
        (name = "models", description = "The models and their cards."),
        (name = "health", description = "The state of the server."),
        (name = "openai", description = "The API of OpenAI, version 1."),
        (name = "inference", description = "The Open Inference Protocol, version 2."),
    ),
    modifiers(&OfModels, &Keys, &Problems, &Headers, &Schemas),
    servers((url = "/"))
)]
struct Document;

/// The path of a model.
const OF_MODEL: &str = "/models/{model}";

/// Whether a route of the first model has a counterpart for each model.
fn is_of_model(path: &str) -> bool {
    const ROUTES: [&str; 7] =
        ["/model", "/compare", "/compare/batch", "/changes", "/embed", "/detect", "/pixels"];
    ROUTES.contains(&path)
}

/// Adds the routes of each model: the same as those of the first one, below the model's name.
struct OfModels;

impl Modify for OfModels {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let name = ParameterBuilder::new()
            .name("model")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The model's name or digest."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        let paths = &mut document.paths.paths;
        let of_first = paths.iter().filter(|(path, _)| is_of_model(path));
        let of_each = of_first.map(|(path, item)| {
            let mut item = item.clone();
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                operation.parameters.get_or_insert_default().insert(0, name.clone().into());
                let id = operation.operation_id.take().unwrap_or_default();
                operation.operation_id = Some(format!("{id}_of_model"));
            }
            // The card is the resource of the model itself.
            (format!("{OF_MODEL}{}", path.trim_end_matches("/model")), item)
        });
        let of_each: Vec<_> = of_each.collect();
        paths.extend(of_each);
    }
}

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
