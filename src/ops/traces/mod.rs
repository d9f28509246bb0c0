//! Traces: requests as OpenTelemetry spans, sent to a collector by OTLP.
//!
//! A span is built when its request has ended, and is put into a bounded queue, so that no request waits for a
//! collector. This module knows neither routes nor responses.

mod client;
mod context;
mod endpoint;
mod exporter;
mod headers;
mod list;
mod otlp;
mod resource;
mod span;
mod trust;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

pub use client::Collector;
pub use context::{Parent, TraceId};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use exporter::ExportOutcome;
pub use headers::Headers;
pub use list::InvalidList;
pub use resource::Resource;
pub use span::{Span, Value};
pub use trust::{Authorities, TrustError};

use client::Client;
use exporter::{Message, Stopped};

/// Starts spans, and queues them when they have ended. Cloning is cheap.
#[derive(Clone)]
pub struct Traces {
    ratio: Ratio,
    queue: SyncSender<Message>,
    observe: Arc<dyn Fn(ExportOutcome, u64) + Send + Sync>,
}

/// The thread that sends queued spans, until it is stopped.
pub struct Exporting {
    queue: SyncSender<Message>,
    stopped: Stopped,
}

/// The share of requests without a parent that are traced: from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(try_from = "f64")]
pub struct Ratio(f64);

impl Traces {
    /// Starts a thread that sends spans to a collector. `observe` receives the outcomes.
    ///
    /// It may take some seconds, because it reads the trusted certificates. Call it on a thread that may block.
    ///
    /// # Panics
    ///
    /// If the system can't create a thread.
    pub fn start(
        collector: &Collector,
        ratio: Ratio,
        observe: impl Fn(ExportOutcome, u64) + Send + Sync + 'static,
    ) -> Result<(Self, Exporting), TrustError> {
        let client = Client::new(collector)?;
        let observe: Arc<dyn Fn(ExportOutcome, u64) + Send + Sync> = Arc::new(observe);
        let (queue, stopped) = exporter::start(client, collector.resource.clone(), observe.clone());
        Ok((Self { ratio, queue: queue.clone(), observe }, Exporting { queue, stopped }))
    }

    /// Starts a span for a request; `None` if it is not traced.
    ///
    /// The parent decides for its children. Without a parent, the ratio decides.
    pub fn begin(&self, parent: Option<Parent>) -> Option<Span> {
        if let Some(Parent { trace, span, sampled }) = parent {
            return sampled.then(|| Span::begin(self.clone(), trace, Some(span)));
        }
        let trace = TraceId::random();
        trace.is_among(self.ratio.0).then(|| Span::begin(self.clone(), trace, None))
    }

    /// Queues a span that has ended, or drops it if the queue is full.
    fn take(&self, spans: otlp::Spans) {
        if self.queue.try_send(Message::Spans(spans)).is_err() {
            (self.observe)(ExportOutcome::Dropped, 1);
        }
    }
}

impl Exporting {
    /// Sends the remaining spans, for at most `timeout`. Call it on a thread that may block.
    pub fn stop(self, timeout: Duration) {
        exporter::stop(&self.queue, &self.stopped, timeout);
    }
}

impl TryFrom<f64> for Ratio {
    type Error = &'static str;

    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&ratio) {
            Ok(Self(ratio))
        } else {
            Err("ratio must be between 0 and 1")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn spans_beyond_the_queue_are_dropped_and_counted() {
        const MORE_THAN_FITS: usize = exporter::QUEUE_LENGTH + exporter::BATCH + 10;
        // It accepts the connection, and never responds.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = dropped.clone();
        let observe = move |outcome, requests| {
            if outcome == ExportOutcome::Dropped {
                counted.fetch_add(requests, Ordering::Relaxed);
            }
        };
        let collector = Collector {
            endpoint: endpoint.try_into().expect("an endpoint"),
            headers: Headers::default(),
            authorities: None,
            resource: Resource::read(None, "").expect("a resource"),
        };
        let (traces, _exporting) =
            Traces::start(&collector, Ratio(1.0), observe).expect("no TLS is spoken");
        for _ in 0..MORE_THAN_FITS {
            drop(traces.begin(None).expect("a span"));
        }
        assert!(10 <= dropped.load(Ordering::Relaxed));
    }
}
