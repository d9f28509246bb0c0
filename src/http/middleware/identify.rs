//! Gives each response its request ID, which is also in the log, and its date.

use std::time::SystemTime;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, map_request};
use axum::response::Response;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::ops::traces::TraceId;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an ID (the client's, if it is valid), and every response that ID and a date.
pub(crate) fn identified<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    // hyper updates its own date only when time moves forward, so it stops if the clock is set back.
    let now = |_: &Response| Some(date(SystemTime::now()));
    routes
        .layer(from_fn(enter))
        .layer(SetResponseHeaderLayer::overriding(header::DATE, now))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, Random))
        .layer(map_request(remove_invalid_id))
}

/// Makes unique IDs.
#[derive(Clone, Copy)]
struct Random;

impl MakeRequestId for Random {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = Uuid::new_v4().simple().to_string();
        Some(RequestId::new(HeaderValue::from_str(&id).expect("hex digits are a value")))
    }
}

/// Removes an invalid ID, because the next layer keeps any ID that it finds.
async fn remove_invalid_id(mut request: Request) -> Request {
    if request.headers().get(REQUEST_ID).is_some_and(|id| !is_valid(id)) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// Whether an ID is safe to write to a log and a header.
fn is_valid(id: &HeaderValue) -> bool {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=128).contains(&id.len()) && id.as_bytes().iter().all(is_safe)
}

/// Adds the request ID and the trace ID to all log lines of a request; and the name of its key, which is known later.
async fn enter(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    let span = tracing::info_span!("request", id, trace = Empty, key = Empty);
    if let Some(trace) = request.extensions().get::<TraceId>() {
        span.record("trace", tracing::field::display(trace));
    }
    next.run(request).instrument(span).await
}

fn date(now: SystemTime) -> HeaderValue {
    let now = now.max(SystemTime::UNIX_EPOCH);
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).expect("a date is ASCII text")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_follows_the_clock_forwards_and_back() {
        let at = |seconds| date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_776), "Sun, 06 Nov 1994 08:49:36 GMT");
    }
}
