//! Parts that several responses share.

pub(crate) mod asset;
pub(crate) mod geo_json;
pub(crate) mod numbers;

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::engine::Stage;
use crate::engine::pipeline::Timings;

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A JSON response that carries its timings, for `Server-Timing`.
pub(crate) fn timed_json(body: &impl Serialize, timings: Timings) -> Response {
    timed(json(body), timings)
}

/// A response that carries its timings, for `Server-Timing`.
pub(crate) fn timed(mut response: Response, timings: Timings) -> Response {
    response.extensions_mut().insert(timings);
    response
}

/// A JSON response without timings, for routes that do not run the model.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("responses have text keys and finite numbers");
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// The `Server-Timing` header, in milliseconds with microsecond digits. It begins with the number of images whose
/// embeddings were in the cache, if there are any. It has a search if an image was searched for a face.
pub(crate) fn server_timing(timings: Timings, total: Duration) -> HeaderValue {
    let search = (!timings.search.is_zero()).then_some((Stage::Search.as_str(), timings.search));
    let stages = [(Stage::Decode.as_str(), timings.decode)].into_iter().chain(search).chain([
        (Stage::Queue.as_str(), timings.queue),
        (Stage::Model.as_str(), timings.model),
        ("total", total),
    ]);
    let mut text = String::with_capacity(80);
    if 0 < timings.cached {
        write!(text, "cache;desc=\"{}\"", timings.cached)
            .expect("writing to a string does not fail");
    }
    for (name, duration) in stages {
        let comma = if text.is_empty() { "" } else { ", " };
        let milliseconds = duration.as_secs_f64() * 1e3;
        write!(text, "{comma}{name};dur={milliseconds:.3}")
            .expect("writing to a string does not fail");
    }
    HeaderValue::from_str(&text).expect("names and digits are a valid header value")
}
