//! The span of one request, from its start to its end.

use std::time::{Duration, Instant, SystemTime};

use super::Traces;
use super::context::{SpanId, TraceId};
use super::otlp::{self, Attribute, Spans};

/// The span of a request in progress. Dropping it ends the span and queues it.
pub struct Span {
    traces: Traces,
    trace: TraceId,
    parent: Option<SpanId>,
    since: SystemTime,
    begun: Instant,
    record: Record,
}

/// What is known of a request.
#[derive(Default)]
struct Record {
    name: String,
    failed: bool,
    attributes: Vec<Attribute>,
    /// The stages of its work, in order.
    stages: Vec<(&'static str, Duration)>,
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
        Self { traces, trace, parent, since, begun, record: Record::default() }
    }

    /// The trace of the span.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// Sets the span's name.
    pub fn name(&mut self, name: String) {
        self.record.name = name;
    }

    /// Marks the span as failed by the server.
    pub fn fail(&mut self) {
        self.record.failed = true;
    }

    /// Adds an attribute.
    pub fn set(&mut self, key: &'static str, value: Value) {
        self.record.attributes.push((key, value));
    }

    /// Adds the duration of a stage. Stages follow each other, and the last one ends with the span.
    pub fn stage(&mut self, name: &'static str, took: Duration) {
        self.record.stages.push((name, took));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let record = std::mem::take(&mut self.record);
        let begun =
            nanoseconds(self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let ended = begun + nanoseconds(self.begun.elapsed());
        let own = SpanId::random();
        let mut spans = Spans(Vec::with_capacity(1 + record.stages.len()));
        // Each stage ends where the next begins, and the last one with the span: writing the response takes
        // microseconds.
        let mut end = ended;
        for (name, took) in record.stages.into_iter().rev() {
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
            name: record.name.into(),
            kind: otlp::Kind::Server,
            times: [begun, ended],
            failed: record.failed,
            attributes: record.attributes,
        });
        self.traces.take(spans);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
