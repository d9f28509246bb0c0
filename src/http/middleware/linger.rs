//! What is left of a body when its request has been answered.
//!
//! A refusal often comes before the body was read. A connection closed over bytes that nobody read is
//! reset, and the reset overtakes the answer: the client would see no refusal, but a broken connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::http::service::Service;

/// How long an answer waits for the rest of its request.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that is lent to a handler, and comes back when the handler drops it.
struct Lent(Arc<Mutex<Body>>);

/// Reads what the handler left, and throws it away, before the answer goes out.
pub(crate) async fn linger(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    // Such a client sends nothing that nobody asked for.
    let waits = head.headers.contains_key(header::EXPECT);
    let body = Arc::new(Mutex::new(body));
    let lent = Body::new(Lent(body.clone()));
    let response = next.run(Request::from_parts(head, lent)).await;

    let rest =
        Arc::into_inner(body).map(|it| it.into_inner().unwrap_or_else(PoisonError::into_inner));
    if let Some(rest) = rest.filter(|it| !it.is_end_stream() && !waits) {
        let most = service.settings().server.max_body_bytes.get();
        let _ = tokio::time::timeout(PATIENCE, discard(rest, most)).await;
    }
    response
}

async fn discard(mut body: Body, most: usize) {
    let mut so_far = 0;
    while let Some(Ok(frame)) = body.frame().await {
        so_far += frame.data_ref().map_or(0, Bytes::len);
        if most < so_far {
            return;
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
