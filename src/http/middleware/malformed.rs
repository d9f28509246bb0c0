//! Rejects requests whose head the connection found to be malformed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::engine::admission::Limit;
use crate::http::connection::malformed::MalformedHead;
use crate::http::error::{Fault, Problem};
use crate::http::service::Service;

/// Rejects a request with a malformed head, before its body is read.
pub(crate) async fn refuse(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    match request.extensions().get::<MalformedHead>() {
        Some(MalformedHead(fault)) => {
            if let Fault::Overloaded { .. } = **fault {
                service.metrics.overloaded(Limit::Requests);
            }
            Problem::from(fault.as_ref().clone()).into_response()
        }
        None => next.run(request).await,
    }
}
