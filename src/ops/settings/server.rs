//! `[server]`: listening, limits and time.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where else `/livez`, `/readyz` and `/metrics` are served; `/metrics` is then served there only.
    pub admin_listen: Option<SocketAddr>,
    /// Connections at once; for more, the one that has idled for longest is ended.
    pub max_connections: NonZeroUsize,
    /// How long a connection may idle, or leave an answer unread, in milliseconds.
    pub idle_timeout_ms: NonZeroU64,
    /// How long a connection's first byte, and a request's head over HTTP/1.1, may take to arrive, in milliseconds; looked at
    /// so often, so up to twice.
    pub head_timeout_ms: NonZeroU64,
    /// How long a client may take nothing of an answer, in milliseconds; looked at so often, so up to twice.
    pub answer_timeout_ms: NonZeroU64,
    /// The most bytes of all answers that clients have not taken.
    pub max_answers_bytes: NonZeroUsize,
    /// Requests of one HTTP/2 connection at once.
    pub http2_max_streams: NonZeroU32,
    /// How often an HTTP/2 client is asked whether it is still there, in milliseconds; 0 for never.
    pub http2_ping_interval_ms: u64,
    /// How long it may take to say so, in milliseconds.
    pub http2_ping_timeout_ms: NonZeroU64,
    /// The most bytes of a body.
    pub max_body_bytes: NonZeroUsize,
    /// The most bytes of all bodies together.
    pub max_bodies_bytes: NonZeroUsize,
    /// Bodies at once that have not come whole.
    pub max_receiving: NonZeroUsize,
    /// How long a body may take to arrive, in milliseconds.
    pub body_timeout_ms: NonZeroU64,
    /// How long a request may take, in milliseconds.
    pub deadline_ms: NonZeroU64,
    /// Requests worked on at once.
    pub max_in_flight: NonZeroUsize,
    /// The status of an overload's refusal.
    pub overload_status: OverloadStatus,
    /// The most pictures of one request to `/embed`.
    pub max_pictures: NonZeroUsize,
    /// The most pairs of one request to `/compare/batch`.
    pub max_pairs: NonZeroUsize,
    /// Whether the page for people is served, with the documents of the API.
    pub page: bool,
    /// Whether `/verify` answers in `DeepFace`'s words.
    pub verify: bool,
    /// How long all is still served after SIGTERM while `/readyz` says no, in milliseconds; 0 for not at all.
    pub lame_duck_ms: u64,
    /// How long what is in flight may go on after that, in milliseconds.
    pub drain_ms: u64,
}

/// 503, or 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct OverloadStatus(u16);

impl Server {
    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms.get())
    }

    /// How long a connection may idle.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.get())
    }

    /// How long a request's head may take to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.get())
    }

    /// How long a client may take nothing of an answer.
    pub fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms.get())
    }

    /// How often an HTTP/2 client is asked whether it is still there; `None` for never.
    pub fn http2_ping_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.http2_ping_interval_ms)).filter(|it| !it.is_zero())
    }

    /// How long it may take to say so.
    pub fn http2_ping_timeout(&self) -> Duration {
        Duration::from_millis(self.http2_ping_timeout_ms.get())
    }

    /// How long a request may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.get())
    }
}

impl TryFrom<u16> for OverloadStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            429 | 503 => Ok(Self(status)),
            _ => Err("overload_status is 503 or 429"),
        }
    }
}

impl From<OverloadStatus> for u16 {
    fn from(status: OverloadStatus) -> Self {
        status.0
    }
}
