//! `[server]`: addresses, limits and timeouts.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;

use super::listen::Listen;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen.
    pub listen: Listen,
    /// A second address for `/livez`, `/readyz` and `/metrics`. If it is set, `/metrics` is served only there.
    pub admin_listen: Option<Listen>,
    /// The most connections. Above it, the connection that has been idle for longest is closed.
    pub max_connections: NonZeroUsize,
    /// How long a connection may be idle, or leave a response unread, in milliseconds.
    pub idle_timeout_ms: NonZeroU64,
    /// The time limit for a connection's first byte and for a request's head over HTTP/1.1, in milliseconds. It is
    /// checked at this interval, so up to twice the time may pass.
    pub head_timeout_ms: NonZeroU64,
    /// How long a client may receive nothing of a response, in milliseconds. It is checked at this interval, so up to
    /// twice the time may pass.
    pub response_timeout_ms: NonZeroU64,
    /// The most bytes of all unsent responses.
    pub max_unsent_bytes: NonZeroUsize,
    /// The most concurrent requests of one HTTP/2 connection.
    pub http2_max_streams: NonZeroU32,
    /// The interval of HTTP/2 pings, in milliseconds; 0 disables them.
    pub http2_ping_interval_ms: u64,
    /// The time limit for the reply to a ping, in milliseconds.
    pub http2_ping_timeout_ms: NonZeroU64,
    /// The most bytes of a body.
    pub max_body_bytes: NonZeroUsize,
    /// The most bytes of all bodies together.
    pub max_bodies_bytes: NonZeroUsize,
    /// The most bodies that are not complete.
    pub max_receiving: NonZeroUsize,
    /// The time limit for receiving a body, in milliseconds.
    pub body_timeout_ms: NonZeroU64,
    /// The time limit of a request, in milliseconds.
    pub deadline_ms: NonZeroU64,
    /// The most requests in progress.
    pub max_in_flight: NonZeroUsize,
    /// The status of a response that reports overload.
    pub overload_status: OverloadStatus,
    /// The most images of one request to `/embed`.
    pub max_images: NonZeroUsize,
    /// The most pairs of one request to `/compare/batch`.
    pub max_pairs: NonZeroUsize,
    /// Whether the web page is served, with the documentation of the API.
    pub page: bool,
    /// Whether `/verify` is served, with `DeepFace`'s format.
    pub verify: bool,
    /// The duration of the lame-duck phase after SIGTERM, in milliseconds; 0 skips it.
    pub lame_duck_ms: u64,
    /// How long requests in progress may continue after that, in milliseconds.
    pub drain_ms: u64,
}

/// The status 503 or 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct OverloadStatus(u16);

impl Server {
    /// The time limit for receiving a body.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms.get())
    }

    /// How long a connection may be idle.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.get())
    }

    /// The time limit for a request's head.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.get())
    }

    /// How long a client may receive nothing of a response.
    pub fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms.get())
    }

    /// The interval of HTTP/2 pings; `None` if they are disabled.
    pub fn http2_ping_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.http2_ping_interval_ms))
            .filter(|interval| !interval.is_zero())
    }

    /// The time limit for the reply to a ping.
    pub fn http2_ping_timeout(&self) -> Duration {
        Duration::from_millis(self.http2_ping_timeout_ms.get())
    }

    /// The time limit of a request.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.get())
    }
}

impl TryFrom<u16> for OverloadStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            429 | 503 => Ok(Self(status)),
            _ => Err("overload_status must be 503 or 429"),
        }
    }
}

impl From<OverloadStatus> for u16 {
    fn from(status: OverloadStatus) -> Self {
        status.0
    }
}
