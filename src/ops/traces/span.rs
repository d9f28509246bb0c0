//! One request, from its beginning to its end.

use std::time::{Duration, Instant, SystemTime};

use super::Traces;
use super::context::{SpanId, TraceId};
use super::otlp::{self, Attribute, Spans};

/// A request under way. Dropped, it has ended, with what has been said of it until then.
pub struct Span {
    traces: Traces,
    trace: TraceId,
    parent: Option<SpanId>,
    since: SystemTime,
    begun: Instant,
    said: Said,
}

/// What is known of a request.
#[derive(Default)]
struct Said {
    name: String,
    failed: bool,
    attributes: Vec<Attribute>,
    /// Its last parts, in their order.
    parts: Vec<(&'static str, Duration)>,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Span {
    pub(super) fn begin(traces: Traces, trace: TraceId, parent: Option<SpanId>) -> Self {
        let (since, begun) = (SystemTime::now(), Instant::now());
        Self { traces, trace, parent, since, begun, said: Said::default() }
    }

    /// The trace that it is part of.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// Says what it is.
    pub fn name(&mut self, name: String) {
        self.said.name = name;
    }

    /// Says that the server failed.
    pub fn fail(&mut self) {
        self.said.failed = true;
    }

    /// Says more of it.
    pub fn set(&mut self, key: &'static str, value: Value) {
        self.said.attributes.push((key, value));
    }

    /// Says how long one of its parts took: the part after all that were told, and just before its end.
    pub fn part(&mut self, name: &'static str, took: Duration) {
        self.said.parts.push((name, took));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let said = std::mem::take(&mut self.said);
        let begun =
            nanoseconds(self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let ended = begun + nanoseconds(self.begun.elapsed());
        let own = SpanId::random();
        let mut spans = Spans(Vec::with_capacity(1 + said.parts.len()));
        // Each part ends where the next begins, and the last with the whole: writing the answer takes microseconds.
        let mut end = ended;
        for (name, took) in said.parts.into_iter().rev() {
            let start = end.saturating_sub(nanoseconds(took)).max(begun);
            spans.0.push(otlp::Span {
                trace: self.trace,
                id: SpanId::random(),
                parent: Some(own),
                name: name.into(),
                kind: otlp::Kind::Internal,
                times: [start, end],
                failed: false,
                attributes: Vec::new(),
            });
            end = start;
        }
        spans.0.push(otlp::Span {
            trace: self.trace,
            id: own,
            parent: self.parent,
            name: said.name.into(),
            kind: otlp::Kind::Server,
            times: [begun, ended],
            failed: said.failed,
            attributes: said.attributes,
        });
        self.traces.take(spans);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
