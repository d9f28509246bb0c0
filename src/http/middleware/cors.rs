//! Cross-origin requests: allowed only for the origins that the settings list.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::identify::REQUEST_ID;
use crate::http::response::SERVER_TIMING;
use crate::ops::settings::Cors;

/// How long a browser may cache the result of a preflight request.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Answers preflight requests, and tells browsers which pages may read a response. Cookies are not used; clients send
/// keys.
pub(crate) fn cors(settings: &Cors) -> Option<CorsLayer> {
    if settings.origins.is_empty() {
        return None;
    }
    let all = settings.origins.iter().any(|origin| origin.value() == "*");
    let origins = settings.origins.iter().map(|origin| origin.value().clone());
    let origins = if all { AllowOrigin::any() } else { AllowOrigin::list(origins) };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            REQUEST_ID,
            HeaderName::from_static("x-request-timeout-ms"),
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
        ])
        .expose_headers([
            REQUEST_ID,
            SERVER_TIMING,
            HeaderName::from_static("siamese-model-digest"),
            HeaderName::from_static("siamese-shape"),
            header::RETRY_AFTER,
        ])
        .max_age(MAX_AGE);
    Some(layer)
}
