//! Which refusals a route can answer with.

use utoipa::Modify;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{self, Content, Ref, ResponseBuilder};

/// A status, what it means, and its codes.
type Refusal = (&'static str, &'static str, Vec<&'static str>);

/// What may be wrong with a source.
const OF_SOURCE: [&str; 4] =
    ["picture_empty", "picture_corrupt", "base64_invalid", "embedding_invalid"];

fn refusals(path: &str) -> Vec<Refusal> {
    match path {
        "/compare" => of_work(&[&OF_SOURCE[..], &["operating_point_unsupported"]].concat(), true),
        // What is wrong with a source is told of its pair alone.
        "/compare/batch" => of_work(&["operating_point_unsupported", "batch_too_large"], true),
        "/embed" => of_work(&[&OF_SOURCE[..], &["batch_too_large"]].concat(), true),
        "/pixels" => of_work(&[&OF_SOURCE[..], &["batch_too_large"]].concat(), false),
        "/readyz" => vec![defect(), ("503", "Work should go elsewhere.", vec!["not_ready"])],
        path if is_open(path) => vec![defect()],
        _ => vec![no_key(), defect()],
    }
}

/// Of a route that reads a body: those of all, those of its own that are 422, and whether it takes stored embeddings.
fn of_work(unprocessable: &[&'static str], takes_stored: bool) -> Vec<Refusal> {
    let malformed =
        ["body_malformed", "part_missing", "part_unexpected", "part_repeated", "query_invalid"];
    let large = vec!["body_too_large", "picture_too_large"];
    let unsupported = vec!["media_type_unsupported", "picture_format_unsupported"];
    let mut refusals = vec![
        ("400", "A body or a query that can't be read.", malformed.to_vec()),
        no_key(),
        ("406", "The client takes no answer that there is.", vec!["not_acceptable"]),
        ("408", "The body came too slowly.", vec!["body_timeout"]),
        ("413", "Too many bytes, or too many pixels.", large),
        ("415", "A body, or a picture, of no type that is read here.", unsupported),
        ("422", "What was read can't be worked with.", unprocessable.to_vec()),
        ("429", "As 503 `overloaded`, where the server is set so.", vec!["overloaded"]),
        defect(),
        ("501", "A transfer coding besides `chunked`.", vec!["transfer_coding_unsupported"]),
        (
            "503",
            "More work than the server can do; or its tower fails.",
            vec!["overloaded", "not_ready"],
        ),
        (
            "504",
            "The request's deadline passed; nothing more is done for it.",
            vec!["deadline_exceeded"],
        ),
    ];
    if takes_stored {
        let what = "A stored embedding was made by another tower.";
        refusals.push(("409", what, vec!["model_mismatch"]));
    }
    refusals
}

fn no_key() -> Refusal {
    ("401", "No valid key, where keys are needed.", vec!["unauthorized"])
}

fn defect() -> Refusal {
    let what = "A defect of the server's; its log has the cause under the request's id.";
    ("500", what, vec!["internal"])
}

/// Of all routes.
fn large_head() -> Refusal {
    ("431", "More than 100 fields in the head.", vec!["head_too_large"])
}

/// Whether a route asks for no key.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

/// Adds refusals to all routes.
pub(crate) struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, what, codes) in refusals(path).into_iter().chain([large_head()]) {
                    let answer = answer(what, &codes);
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
