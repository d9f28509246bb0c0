//! Limits unsent responses: counts each response until the client has taken it.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::engine::admission::Limit;
use crate::http::connection::responses::UnsentResponses;
use crate::http::connection::state::ConnectionState;
use crate::http::error::Problem;
use crate::http::service::Service;

/// Counts every response, and rejects requests of a connection with too many unsent responses.
pub(crate) async fn count(
    State((service, responses)): State<(Arc<Service>, Arc<UnsentResponses>)>,
    request: Request,
    next: Next,
) -> Response {
    let state = request.extensions().get::<Arc<ConnectionState>>().cloned();
    let state = state.as_ref();
    let reject = || Problem::from(service.overloaded(Limit::Unsent)).into_response();
    let unsent = state.map_or(0, |state| state.unsent_bytes());
    let response = if responses.exceeds_limit(unsent) {
        responses.close_stalled();
        reject()
    } else {
        next.run(request).await
    };
    let (head, body) = response.into_parts();
    if body.is_end_stream() {
        return Response::from_parts(head, body);
    }
    // Every response is complete in memory: this copies nothing, and cannot fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if let Some(memory) = responses.admit(bytes.len(), state.map(AsRef::as_ref)).await {
        return Response::from_parts(head, responses.count(bytes, memory, state.cloned()));
    }
    drop((head, bytes));
    let (head, body) = reject().into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    // The rejection is sent even without free memory, and counts for its connection.
    let body = responses.count(bytes, responses.empty_reservation(), state.cloned());
    Response::from_parts(head, body)
}
