//! A request's body: all of it, within limits of bytes and time.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use crate::engine::admission::{Held, Limit};
use crate::http::connection::receiving::Cut;
use crate::http::error::Fault;
use crate::http::service::Service;

/// A request whose body is whole: its share of the memory, and its place among those that are worked on.
pub(crate) struct Admitted {
    _share: Held,
    _place: Held,
}

/// Reads a body into one buffer, until the deadline at the latest.
///
/// Refuses by the length announced before it reads, and by the bytes that came while it does.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    service: &Service,
    deadline: Instant,
) -> Result<(Bytes, Admitted), Fault> {
    let settings = &service.settings().server;
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    let limit = settings.max_body_bytes.get();
    if announced.is_some_and(|it| limit < it) {
        return Err(Fault::BodyTooLarge(limit));
    }
    let patience = settings.body_timeout().min(deadline - Instant::now());
    let (body, share) = timeout(patience, collect(body, announced, service))
        .await
        .unwrap_or(Err(Fault::BodyTimeout(patience)))?;
    // Only now: who sends slowly, or nothing, holds up nobody who has sent.
    let place = service.requests.try_enter(1);
    let place = place.ok_or_else(|| service.overloaded(Limit::Requests))?;
    Ok((body, Admitted { _share: share, _place: place }))
}

async fn collect(
    mut body: Body,
    announced: Option<usize>,
    service: &Service,
) -> Result<(Bytes, Held), Fault> {
    /// What any announcement may reserve.
    const TRUSTED: usize = 256 << 10;

    let limit = service.settings().server.max_body_bytes.get();
    let mut share = service.bodies.begin();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if limit < length {
            return Err(Fault::BodyTooLarge(limit));
        }
        if !service.bodies.grow(&mut share, length).await {
            return Err(service.overloaded(Limit::Bodies));
        }
        // A body of one frame, as small pictures are, is not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        // An announcement is trusted for twice what came, so that liars reserve no more than they send.
        let trusted = announced.unwrap_or(0).min((2 * length).max(TRUSTED));
        rest.reserve(trusted.max(length) - rest.len());
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&data);
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, share))
}

/// Why a body did not come: its client left, or was too slow while others waited.
fn broken(err: axum::Error) -> Fault {
    match err.into_inner().downcast::<Cut>() {
        Ok(cut) => Fault::BodyTimeout(cut.after),
        Err(_) => Fault::BodyMalformed("the body broke off".to_owned()),
    }
}
