//! Reads a request's body, within limits on its size and its time.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use crate::engine::admission::{Held, Limit, Share};
use crate::engine::deployment::Deployment;
use crate::http::connection::receiving::Cut;
use crate::http::error::Fault;
use crate::http::service::Service;

/// A request with a complete body. It holds memory for the body, and a slot among the requests in progress.
pub(crate) struct Admitted {
    _memory: Held,
    _slot: Share,
}

/// Reads a body into one buffer, before the deadline.
///
/// Rejects a body by its announced length before it arrives, and by its actual length while it arrives.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    service: &Service,
    deployment: &Deployment,
    deadline: Instant,
) -> Result<(Bytes, Admitted), Fault> {
    let settings = &service.settings().server;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let limit = settings.max_body_bytes.get();
    if announced.is_some_and(|announced| limit < announced) {
        return Err(Fault::BodyTooLarge(limit));
    }
    let time_limit = settings.body_timeout().min(deadline - Instant::now());
    let (body, memory) = timeout(time_limit, collect(body, announced, service))
        .await
        .unwrap_or(Err(Fault::BodyTimeout(time_limit)))?;
    // The slot is taken only now, so that a slow body does not block requests that are complete.
    let slot = service.requests.try_enter(&deployment.model.digest, 1);
    let slot = slot.ok_or_else(|| service.overloaded(Limit::Requests))?;
    Ok((body, Admitted { _memory: memory, _slot: slot }))
}

async fn collect(
    mut body: Body,
    announced: Option<usize>,
    service: &Service,
) -> Result<(Bytes, Held), Fault> {
    /// The most bytes that are reserved on the announced length alone.
    const TRUSTED: usize = 256 << 10;

    let limit = service.settings().server.max_body_bytes.get();
    let mut memory = service.bodies.begin();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if limit < length {
            return Err(Fault::BodyTooLarge(limit));
        }
        if !service.bodies.grow(&mut memory, length).await {
            return Err(service.overloaded(Limit::Bodies));
        }
        // A body of one frame, such as a small image, is not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        // At most twice the received bytes are reserved, so a false announcement cannot reserve much more than was
        // sent.
        let trusted = announced.unwrap_or(0).min((2 * length).max(TRUSTED));
        rest.reserve(trusted.max(length) - rest.len());
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&data);
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, memory))
}

/// Why a body is incomplete: the client disconnected, or it was too slow while others waited.
fn broken(err: axum::Error) -> Fault {
    match err.into_inner().downcast::<Cut>() {
        Ok(cut) => Fault::BodyTimeout(cut.after),
        Err(_) => Fault::BodyMalformed("the body is incomplete: the connection ended".to_owned()),
    }
}
