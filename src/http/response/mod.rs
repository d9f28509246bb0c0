//! What answers have in common.

pub(crate) mod asset;
pub(crate) mod numbers;

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::engine::pipeline::Timings;

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Builds answers that carry where their time went.
pub(crate) struct Answer;

impl Answer {
    /// An answer whose body is JSON.
    pub(crate) fn json(body: &impl Serialize, timings: Timings) -> Response {
        Self::with(json(body), timings)
    }

    /// Any answer.
    pub(crate) fn with(mut response: Response, timings: Timings) -> Response {
        response.extensions_mut().insert(timings);
        response
    }
}

/// JSON without timing, for what needs no tower.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("answers have text keys and finite numbers");
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// The header that tells where the time went, in milliseconds down to the microsecond.
pub(crate) fn server_timing(timings: Timings, total: Duration) -> HeaderValue {
    let stages = [
        ("decode", timings.decode),
        ("queue", timings.queue),
        ("tower", timings.tower),
        ("total", total),
    ];
    let mut text = String::with_capacity(80);
    for (name, duration) in stages {
        let comma = if text.is_empty() { "" } else { ", " };
        let milliseconds = duration.as_secs_f64() * 1e3;
        write!(text, "{comma}{name};dur={milliseconds:.3}").expect("a string takes all");
    }
    HeaderValue::from_str(&text).expect("digits and names are a value")
}
