//! Who may ask: those who send a key, where keys are set.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Fault, Problem};
use crate::keys::Keys;

/// Refuses a request without a valid key, before its body is read.
pub(super) async fn authorise(
    State(keys): State<Arc<Keys>>,
    request: Request,
    next: Next,
) -> Response {
    match bearer(request.headers()) {
        Some(key) if keys.hold(key) => next.run(request).await,
        _ => Problem::from(Fault::Unauthorized).into_response(),
    }
}

/// What stands after `Bearer` in `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}
