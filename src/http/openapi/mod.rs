//! `GET /openapi.json`: the contract for machines, made of what the handlers say of themselves.

mod problems;

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::error::Details;
use super::routes::{compare, compare_batch, embed, model, pixels, status};
use crate::http::response::asset::Asset;
use problems::Problems;

/// `GET /openapi.json`
pub(crate) async fn document(headers: HeaderMap) -> Response {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| Document::openapi().to_pretty_json().expect("text keys, finite numbers"));
    Asset::new("application/json", TEXT.as_bytes()).answer(&headers)
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Siamese",
        description = "Do two pictures show the same thing? A tower maps each to an embedding, and the L2 distance of \
                       the two is judged against a calibrated threshold.\n\nPictures are JPEG, PNG, WebP, GIF (the \
                       first frame), BMP, TIFF or PNM. Every answer carries `X-Request-Id`; those that ran the tower \
                       carry `Server-Timing`. Refusals are problem details (RFC 9457) with a `code` that never changes."
    ),
    paths(
        compare::compare,
        compare_batch::compare_batch,
        embed::embed,
        pixels::pixels,
        model::model,
        status::livez,
        status::readyz,
        status::metrics
    ),
    components(schemas(Details)),
    modifiers(&Keys, &Problems),
    servers((url = "/"))
)]
struct Document;

/// Where the server has keys, all but health, metrics and pages asks for one.
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
