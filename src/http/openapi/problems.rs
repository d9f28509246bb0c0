//! Which refusals a route can answer with: those of all that its handler does.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use strum::VariantArray;
use utoipa::Modify;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{self, Content, Ref, ResponseBuilder};

use crate::http::error::{Kind, Origin};

/// What a route does that can fail.
fn origins(path: &str) -> &'static [Origin] {
    use Origin::{Any, Health, Judging, Key, List, Source, Stored, Work};

    match path {
        "/compare" => &[Any, Key, Work, Judging, Stored, Source],
        // What is wrong with a source is told of its pair alone.
        "/compare/batch" => &[Any, Key, Work, Judging, Stored, List],
        "/embed" => &[Any, Key, Work, Stored, List, Source],
        "/pixels" => &[Any, Key, Work, List, Source],
        "/readyz" => &[Any, Health],
        path if is_open(path) => &[Any],
        _ => &[Any, Key],
    }
}

/// Whether a route asks for no key.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

/// The codes of a route's refusals, by status.
fn refusals(origins: &[Origin]) -> BTreeMap<StatusCode, Vec<&'static str>> {
    let mut refusals = BTreeMap::<_, Vec<_>>::new();
    for kind in Kind::VARIANTS {
        let (status, code, arises) = kind.answer();
        if arises.iter().any(|origin| origins.contains(origin)) {
            refusals.entry(status).or_default().push(code);
            // The settings choose between the two.
            if *kind == Kind::Overloaded {
                refusals.insert(StatusCode::TOO_MANY_REQUESTS, vec![code]);
            }
        }
    }
    refusals
}

/// What a status means here.
fn meaning(status: StatusCode, origins: &[Origin]) -> &'static str {
    match status.as_u16() {
        400 => "A body or a query that can't be read.",
        401 => "No valid key, where keys are needed.",
        406 => "The client takes no answer that there is.",
        408 => "The body came too slowly.",
        409 => "A stored embedding was made by another tower.",
        413 => "Too many bytes, or too many pixels.",
        415 => "A body, or a picture, of no type that is read here.",
        422 => "What was read can't be worked with.",
        429 => "As 503 `overloaded`, where the server is set so.",
        431 => "More than 100 fields in the head.",
        500 => "A defect of the server's; its log has the cause under the request's id.",
        501 => "A transfer coding besides `chunked`.",
        503 if origins.contains(&Origin::Health) => "Work should go elsewhere.",
        503 => "More work than the server can do; or its tower fails.",
        504 => "The request's deadline passed; nothing more is done for it.",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// Adds refusals to all routes.
pub(crate) struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let origins = origins(path);
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, codes) in refusals(origins) {
                    let answer = answer(meaning(status, origins), &codes);
                    let status = status.as_str().to_owned();
                    operation.responses.responses.insert(status, answer.into());
                }
            }
        }
    }
}

/// A problem with one of these codes.
fn answer(what: &str, codes: &[&str]) -> openapi::Response {
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.to_vec()));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(ObjectBuilder::new().property("code", code));
    ResponseBuilder::new()
        .description(what)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}
