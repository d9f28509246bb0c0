//! Which refusals a route can answer with.

use utoipa::Modify;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{self, Content, Ref, ResponseBuilder};

/// A status, what it means, and its codes.
type Refusal = (&'static str, &'static str, &'static [&'static str]);

/// Of every route that reads a body.
const OF_WORK: [Refusal; 9] = [
    ("401", "No valid key, where keys are needed.", &["unauthorized"]),
    ("406", "The client takes no answer that there is.", &["not_acceptable"]),
    ("408", "The body came too slowly.", &["body_timeout"]),
    ("413", "Too many bytes, or too many pixels.", &["body_too_large", "picture_too_large"]),
    (
        "415",
        "No body of a type that is read here, or no picture of a format that is.",
        &["media_type_unsupported", "picture_format_unsupported"],
    ),
    ("429", "As 503 `overloaded`, where the server is set so.", &["overloaded"]),
    (
        "500",
        "A defect of the server's; its log has the cause under the request's id.",
        &["internal"],
    ),
    ("503", "More work than the server can do; or its tower fails.", &["overloaded", "not_ready"]),
    ("504", "The request's deadline passed; nothing more is done for it.", &["deadline_exceeded"]),
];

const MALFORMED: Refusal = (
    "400",
    "A body or a query that can't be read.",
    &["body_malformed", "part_missing", "part_unexpected", "part_repeated", "query_invalid"],
);
const OTHER_TOWER: Refusal =
    ("409", "A stored embedding was made by another tower.", &["model_mismatch"]);
const KEY: Refusal = OF_WORK[0];
const DEFECT: Refusal = OF_WORK[6];

const OF_PICTURE: [&str; 3] = ["picture_empty", "picture_corrupt", "base64_invalid"];

fn refusals(path: &str) -> Vec<Refusal> {
    const WHAT: &str = "What was read can't be worked with.";
    let work = |unprocessable: &'static [&'static str]| {
        let own = [MALFORMED, ("422", WHAT, unprocessable)];
        OF_WORK.into_iter().chain(own).collect::<Vec<_>>()
    };
    match path {
        "/compare" => {
            let mut all = work(&[
                OF_PICTURE[0],
                OF_PICTURE[1],
                OF_PICTURE[2],
                "embedding_invalid",
                "operating_point_unsupported",
            ]);
            all.push(OTHER_TOWER);
            all
        }
        "/compare/batch" => {
            let mut all = work(&["operating_point_unsupported", "batch_too_large"]);
            all.push(OTHER_TOWER);
            all
        }
        "/embed" => {
            let mut all = work(&[
                OF_PICTURE[0],
                OF_PICTURE[1],
                OF_PICTURE[2],
                "embedding_invalid",
                "batch_too_large",
            ]);
            all.push(OTHER_TOWER);
            all
        }
        "/pixels" => work(&[
            OF_PICTURE[0],
            OF_PICTURE[1],
            OF_PICTURE[2],
            "embedding_invalid",
            "batch_too_large",
        ]),
        "/readyz" => vec![DEFECT, ("503", "Work should go elsewhere.", &["not_ready"])],
        path if is_open(path) => vec![DEFECT],
        _ => vec![KEY, DEFECT],
    }
}

/// Whether a route asks for no key.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

/// Adds refusals to all routes.
pub(super) struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, what, codes) in refusals(path) {
                    let answer = answer(what, codes);
                    operation.responses.responses.insert(status.to_owned(), answer.into());
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
