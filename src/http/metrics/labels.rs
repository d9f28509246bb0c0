//! What counters are told apart by. No label's value is made of a client's bytes, so there are only so many.

use std::fmt;
use std::hash::{Hash, Hasher};

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A route as the router knows it, whatever the path was; `other` where none matched. Cloning copies nothing.
#[derive(Clone, Debug)]
pub(crate) struct Route(Option<MatchedPath>);

impl Route {
    /// Where a request was sent.
    pub(crate) fn of(request: &Request) -> Self {
        Self(request.extensions().get().cloned())
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_ref().map_or("other", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// A part of a request's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Decode,
    Queue,
    Tower,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Queue => "queue",
            Self::Tower => "tower",
        }
    }
}

/// What was full when a request was refused as overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The most requests at once.
    Requests,
    /// The tower's places for pictures.
    Places,
    /// The room for pictures of requests with many.
    Bulk,
    /// The memory of all bodies together.
    Bodies,
    /// A lane of pictures to be decoded by workers.
    Decodes,
    /// The bodies that may come at once.
    Receiving,
    /// Those of one connection.
    Connection,
    /// The memory of answers that are not taken.
    Answers,
}

impl Full {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Places => "places",
            Self::Bulk => "bulk",
            Self::Bodies => "bodies",
            Self::Decodes => "decodes",
            Self::Receiving => "receiving",
            Self::Connection => "connection",
            Self::Answers => "answers",
        }
    }
}

/// What became of a request, roughly: how long a refusal took says nothing of how long work takes.
pub(crate) fn outcome(status: StatusCode) -> &'static str {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::GATEWAY_TIMEOUT => "failed",
        status if status.is_client_error() || status.is_server_error() => "refused",
        _ => "answered",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) route: Route,
    pub(crate) status: u16,
    /// A problem's code; empty where there was none.
    pub(crate) code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DurationLabels {
    pub(crate) route: Route,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabel {
    pub(crate) route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StageLabel {
    pub(crate) stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DroppedLabel {
    /// The stage that was spared.
    pub(crate) before: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutcomeLabel {
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FullLabel {
    pub(crate) full: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CodeLabel {
    pub(crate) code: &'static str,
}
