//! A request's body: all of it, within limits of bytes and time.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::error::Fault;
use crate::settings::Server;

/// Reads a body into one buffer.
///
/// Refuses by the length announced before it reads, and by the bytes that came while it does.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    settings: &Server,
) -> Result<Bytes, Fault> {
    let (limit, timeout) = (settings.max_body_bytes, settings.body_timeout());
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|it| limit < it) {
        return Err(Fault::BodyTooLarge(limit));
    }
    tokio::time::timeout(timeout, collect(body, announced, limit))
        .await
        .unwrap_or(Err(Fault::BodyTimeout(timeout)))
}

async fn collect(mut body: Body, announced: Option<usize>, limit: usize) -> Result<Bytes, Fault> {
    /// What an announcement alone may reserve: a liar costs no more.
    const TRUSTED: usize = 1 << 20;

    let broken = |_| Fault::BodyMalformed("the body broke off".to_owned());
    let mut first = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len).max(rest.len());
        if limit - so_far < data.len() {
            return Err(Fault::BodyTooLarge(limit));
        }
        // A body of one frame, as small pictures are, is not copied.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(before) => {
                rest.reserve(announced.unwrap_or(0).min(TRUSTED).max(so_far + data.len()));
                rest.extend_from_slice(&before);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}
