//! A request's body: all of it, within limits of bytes and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::http::connection::receiving::Cut;
use crate::http::error::Fault;
use crate::http::metrics::Full;
use crate::http::service::Service;

/// How long a body that was ended has to be gone.
const LOOK: Duration = Duration::from_millis(20);

/// The memory that all bodies together may take.
pub(crate) struct Room {
    units: Arc<Semaphore>,
    most: usize,
}

/// A body's share of that memory, which is free again once this is dropped.
struct Share(OwnedSemaphorePermit);

/// A request whose body is whole: its share of the memory, and its place among those that are worked on.
pub(crate) struct Admitted {
    _share: Share,
    _place: OwnedSemaphorePermit,
}

impl Room {
    /// Memory is counted in units of so many bytes.
    const UNIT: usize = 1 << 10;

    pub(crate) fn new(bytes: usize) -> Self {
        let most = (bytes / Self::UNIT).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(most)), most }
    }

    /// How many bytes are taken, in whole units.
    pub(crate) fn taken(&self) -> usize {
        (self.most - self.units.available_permits()) * Self::UNIT
    }

    fn nothing(&self) -> Share {
        Share(self.units.clone().try_acquire_many_owned(0).expect("nothing can be had"))
    }

    /// Lets a share grow to so many bytes; false where the room is full, though other bodies that are still coming are
    /// ended for it.
    async fn grow(&self, share: &mut Share, bytes: usize, service: &Service) -> bool {
        let more = bytes.div_ceil(Self::UNIT).saturating_sub(share.0.num_permits());
        let Ok(more) = u32::try_from(more) else { return false };
        loop {
            if let Ok(more) = self.units.clone().try_acquire_many_owned(more) {
                share.0.merge(more);
                return true;
            }
            // What has been ended gives its bytes back as soon as its own task sees it.
            if self.most < more as usize || !service.receiving.end_longest() {
                return false;
            }
            service.metrics.body_ended(Full::Bodies);
            if let Ok(Ok(more)) = timeout(LOOK, self.units.clone().acquire_many_owned(more)).await {
                share.0.merge(more);
                return true;
            }
        }
    }
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
    let settings = &service.settings.server;
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
    let place = service.in_flight.clone().try_acquire_owned();
    let place = place.map_err(|_| service.overloaded(Full::Requests))?;
    Ok((body, Admitted { _share: share, _place: place }))
}

async fn collect(
    mut body: Body,
    announced: Option<usize>,
    service: &Service,
) -> Result<(Bytes, Share), Fault> {
    /// What any announcement may reserve.
    const TRUSTED: usize = 256 << 10;

    let limit = service.settings.server.max_body_bytes.get();
    let mut share = service.bodies.nothing();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if limit < length {
            return Err(Fault::BodyTooLarge(limit));
        }
        if !service.bodies.grow(&mut share, length, service).await {
            return Err(service.overloaded(Full::Bodies));
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
