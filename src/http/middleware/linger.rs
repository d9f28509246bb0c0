//! Reads the rest of a request body before the response is sent.
//!
//! A rejection often comes before the body was read. If the server closes a connection with unread bytes, the client
//! receives a reset, which can overtake the response: the client sees a broken connection instead of the rejection.

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

use super::report::Facts;
use crate::http::service::Service;

/// How long a response waits for the rest of its request.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// A body that a handler uses. The middleware gets it back when the handler drops it.
struct Lent(Arc<Mutex<Body>>, Option<Arc<Facts>>);

/// Reads and discards the part of the body that the handler did not read, before the response is sent.
pub(crate) async fn linger(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    // A client that sends `Expect` waits for permission before it sends the body.
    let expects_continue = head.headers.contains_key(header::EXPECT);
    let facts = head.extensions.get::<Arc<Facts>>().cloned();
    let body = Arc::new(Mutex::new(body));
    let lent = Body::new(Lent(body.clone(), facts.clone()));
    let response = next.run(Request::from_parts(head, lent)).await;

    let rest =
        Arc::into_inner(body).map(|body| body.into_inner().unwrap_or_else(PoisonError::into_inner));
    if let Some(rest) = rest.filter(|body| !body.is_end_stream() && !expects_continue) {
        let most = service.settings().server.max_body_bytes.get();
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard(rest, most, facts.as_deref())).await;
    }
    response
}

async fn discard(mut body: Body, most: usize, facts: Option<&Facts>) {
    let mut so_far = 0;
    while let Some(Ok(frame)) = body.frame().await {
        so_far += received(&frame, facts);
        if most < so_far {
            return;
        }
    }
}

/// The length of a frame's data, which becomes a part of the report.
fn received(frame: &Frame<Bytes>, facts: Option<&Facts>) -> usize {
    let bytes = frame.data_ref().map_or(0, Bytes::len);
    if let Some(facts) = facts {
        facts.receive(bytes);
    }
    bytes
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = Pin::new(&mut *body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            received(frame, self.1.as_deref());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
