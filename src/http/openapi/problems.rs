//! The errors that each route can respond with, derived from what its handler does.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use strum::VariantArray;
use utoipa::Modify;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{self, Content, Ref, ResponseBuilder};

use super::OF_MODEL;
use crate::http::error::{Kind, Origin};
use crate::http::middleware::dialect::{Dialect, open_ai_code};

/// What a route does that can fail.
pub(super) fn origins(path: &str) -> Vec<Origin> {
    match path.strip_prefix(OF_MODEL) {
        None => of_route(path).to_vec(),
        Some("") => [of_route("/model"), &[Origin::Named]].concat(),
        Some(route) => [of_route(route), &[Origin::Named]].concat(),
    }
}

fn of_route(path: &str) -> &'static [Origin] {
    use Origin::{Any, Changes, Faces, Health, Judging, Key, List, Named, Source, Stored, Work};

    match path {
        "/compare" => &[Any, Key, Work, Judging, Stored, Source],
        // A faulty source fails only its own pair.
        "/compare/batch" => &[Any, Key, Work, Judging, Stored, List],
        "/changes" => &[Any, Key, Work, Judging, Source, Changes],
        "/embed" => &[Any, Key, Work, Stored, List, Source],
        "/detect" => &[Any, Key, Work, List, Source, Faces],
        "/pixels" => &[Any, Key, Work, List, Source],
        "/v1/embeddings" | "/v2/models/{name}/infer" => &[Any, Key, Work, List, Source, Named],
        "/v1/models/{id}" | "/v2/models/{name}" => &[Any, Key, Named],
        "/v2/models/{name}/ready" => &[Any, Key, Health, Named],
        "/readyz" | "/v2/health/ready" => &[Any, Health],
        path if is_open(path) => &[Any],
        _ => &[Any, Key],
    }
}

/// Whether a route needs no key.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics" | "/v2/health/live" | "/v2/health/ready")
}

/// The problem codes of a route, by status.
fn refusals(origins: &[Origin]) -> BTreeMap<StatusCode, Vec<&'static str>> {
    let mut refusals = BTreeMap::<_, Vec<_>>::new();
    for kind in Kind::VARIANTS {
        let (status, code, arises) = kind.definition();
        if arises.iter().any(|origin| origins.contains(origin)) {
            let codes = refusals.entry(status).or_default();
            // Two kinds can have one code.
            if !codes.contains(&code) {
                codes.push(code);
            }
            // The settings choose between the two statuses.
            if *kind == Kind::Overloaded {
                refusals.entry(StatusCode::TOO_MANY_REQUESTS).or_default().push(code);
            }
        }
    }
    refusals
}

/// The description of a status.
fn meaning(status: StatusCode, origins: &[Origin]) -> &'static str {
    match status.as_u16() {
        400 => "The body, the query or a header is malformed.",
        401 => "The request has no valid key, and the server requires one.",
        404 => "The server has no model of this name.",
        406 => "The `Accept` header rules out every available media type.",
        408 => "The body did not arrive in time.",
        409 => "Another model made a stored embedding.",
        413 => "The body or an image is too large.",
        415 => "The media type of the body, or the format of an image, is not supported.",
        422 => "The request is well-formed, but its content cannot be processed.",
        429 if origins.contains(&Origin::Work) => {
            "The key has reached its rate limit. Or the server is overloaded, and its settings choose this status instead of \
             503."
        }
        429 => "The key has reached its rate limit.",
        431 => "The request has more than 100 header fields.",
        500 => "The server has a defect. Its log has the cause, under the request ID.",
        501 => "The body uses a transfer coding other than `chunked`.",
        503 if origins.contains(&Origin::Health) => "The server should not receive requests.",
        503 => "The server is overloaded or not ready.",
        504 => "The request did not finish before its deadline, and was dropped.",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// Adds the errors to all routes.
pub(crate) struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let origins = &origins(path);
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, codes) in refusals(origins) {
                    let response = response(meaning(status, origins), codes, Dialect::of(path));
                    let status = status.as_str().to_owned();
                    operation.responses.responses.insert(status, response.into());
                }
            }
        }
    }
}

/// A response with an error of one of these codes, in the form of the protocol.
fn response(
    description: &str,
    codes: Vec<&'static str>,
    dialect: Option<Dialect>,
) -> openapi::Response {
    let (media, error, has_code) = match dialect {
        None => ("application/problem+json", "Problem", with_code(codes)),
        Some(Dialect::OpenAi) => {
            let codes = codes.into_iter().map(open_ai_code).collect();
            let has_code = ObjectBuilder::new().property("error", with_code(codes));
            ("application/json", "OpenAiError", has_code)
        }
        Some(Dialect::Inference) => ("application/json", "InferenceError", ObjectBuilder::new()),
    };
    let schema = AllOfBuilder::new().item(Ref::from_schema_name(error)).item(has_code);
    ResponseBuilder::new()
        .description(description)
        .content(media, Content::new(Some(schema)))
        .build()
}

/// An object with one of these codes.
fn with_code(codes: Vec<&'static str>) -> ObjectBuilder {
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    ObjectBuilder::new().property("code", code)
}
