//! The headers of requests and responses, by route.

use utoipa::Modify;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{self, RefOr, Required};

use super::problems::origins;
use crate::http::error::Origin;

/// Adds the headers to all routes.
pub(crate) struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                operation
                    .parameters
                    .get_or_insert_default()
                    .extend(of_requests(path).map(RefOr::T));
                add_to_responses(operation, path);
            }
        }
    }
}

/// Whether a route runs the model, or decodes an image.
fn works(path: &str) -> bool {
    origins(path).contains(&Origin::Work)
}

fn of_requests(path: &str) -> impl Iterator<Item = Parameter> {
    let id = "The ID of the request, for the log and the response: at most 128 letters, digits and `-_.:+/=`. The \
              server replaces any other ID.";
    let timeout = "Shortens the deadline of the request, in milliseconds.";
    let id = parameter("X-Request-Id", Type::String, id);
    let timeout = works(path).then(|| parameter("X-Request-Timeout-Ms", Type::Integer, timeout));
    [Some(id), timeout].into_iter().flatten()
}

fn add_to_responses(operation: &mut Operation, path: &str) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |name: &str, description: &str| {
            response.headers.insert(name.to_owned(), RefOr::T(header(description)));
        };
        add("X-Request-Id", "The ID of the request. The log has it too.");
        match status.as_str() {
            "200" if works(path) => {
                add(
                    "Server-Timing",
                    "The time of each stage in milliseconds, and the number of images that were in the cache.",
                );
                if path.ends_with("/infer") {
                    add(
                        "Inference-Header-Content-Length",
                        "The length of the JSON in bytes; with a binary body.",
                    );
                }
                if path == "/embed" {
                    add("Siamese-Model-Digest", "The digest of the model; with a binary body.");
                    add(
                        "Siamese-Shape",
                        "The number of embeddings and their width; with a binary body.",
                    );
                }
            }
            "401" => add("WWW-Authenticate", "`Bearer`."),
            "429" | "503" => {
                add(
                    "Retry-After",
                    "After how many seconds to try again; if overloaded, or if the key has reached its rate limit.",
                );
            }
            _ => {}
        }
    }
}

fn parameter(name: &str, kind: Type, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build()
}

fn header(description: &str) -> Header {
    HeaderBuilder::new().description(Some(description)).build()
}
