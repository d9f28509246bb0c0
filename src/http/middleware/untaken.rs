//! Around every request: its answer, until its client has taken it.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::engine::admission::Limit;
use crate::http::connection::answers::Answers;
use crate::http::connection::life::Life;
use crate::http::error::Problem;
use crate::http::service::Service;

/// Counts every answer, and refuses requests of those who leave theirs untaken.
pub(crate) async fn count(
    State((service, answers)): State<(Arc<Service>, Arc<Answers>)>,
    request: Request,
    next: Next,
) -> Response {
    let life = request.extensions().get::<Arc<Life>>().cloned();
    let life = life.as_ref();
    let full = || Problem::from(service.overloaded(Limit::Answers)).into_response();
    let owed = life.map_or(0, |life| life.untaken_bytes());
    let response = if answers.owes_too_much(owed) {
        answers.relieve();
        full()
    } else {
        next.run(request).await
    };
    let (head, body) = response.into_parts();
    if body.is_end_stream() {
        return Response::from_parts(head, body);
    }
    // Answers are in memory whole: this copies nothing, and can't fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if let Some(room) = answers.admit(bytes.len(), life.map(AsRef::as_ref)).await {
        return Response::from_parts(head, answers.count(bytes, room, life.cloned()));
    }
    drop((head, bytes));
    let (head, body) = full().into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    // A refusal is let out all the same; its connection is held to take it.
    let body = answers.count(bytes, answers.no_room(), life.cloned());
    Response::from_parts(head, body)
}
