//! Traces: requests as OpenTelemetry spans, sent to a collector by OTLP.
//!
//! A span is made when its request has ended, out of what is known then, and put into a bounded queue: who answers
//! requests never waits for a collector. Knows neither routes nor answers.

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
pub use exporter::Fate;
pub use headers::Headers;
pub use list::InvalidList;
pub use resource::Resource;
pub use span::{Span, Value};
pub use trust::{Authorities, TrustError};

use client::Client;
use exporter::{Message, Stopped};

/// Begins spans and takes them when they have ended. Cloning it is cheap.
#[derive(Clone)]
pub struct Traces {
    ratio: Ratio,
    queue: SyncSender<Message>,
    observe: Arc<dyn Fn(Fate, u64) + Send + Sync>,
}

/// Sends what is in the queue, until it is stopped.
pub struct Exporting {
    queue: SyncSender<Message>,
    stopped: Stopped,
}

/// The share of requests without a parent that are traced: from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(try_from = "f64")]
pub struct Ratio(f64);

impl Traces {
    /// Starts a thread that sends spans to a collector; `observe` is told what becomes of them.
    ///
    /// May take some seconds, to read whom to trust: for a thread that may wait.
    ///
    /// # Panics
    ///
    /// If the system gives no thread.
    pub fn start(
        collector: &Collector,
        ratio: Ratio,
        observe: impl Fn(Fate, u64) + Send + Sync + 'static,
    ) -> Result<(Self, Exporting), TrustError> {
        let client = Client::new(collector)?;
        let observe: Arc<dyn Fn(Fate, u64) + Send + Sync> = Arc::new(observe);
        let (queue, stopped) = exporter::start(client, collector.resource.clone(), observe.clone());
        Ok((Self { ratio, queue: queue.clone(), observe }, Exporting { queue, stopped }))
    }

    /// A span for a request that has come just now; `None` where it is not to be traced.
    ///
    /// A parent decides for its children; without one, the ratio does.
    pub fn begin(&self, parent: Option<Parent>) -> Option<Span> {
        if let Some(Parent { trace, span, sampled }) = parent {
            return sampled.then(|| Span::begin(self.clone(), trace, Some(span)));
        }
        let trace = TraceId::random();
        trace.is_among(self.ratio.0).then(|| Span::begin(self.clone(), trace, None))
    }

    /// Queues a span that has ended, or drops it where there is no room.
    fn take(&self, spans: otlp::Spans) {
        if self.queue.try_send(Message::Spans(spans)).is_err() {
            (self.observe)(Fate::Dropped, 1);
        }
    }
}

impl Exporting {
    /// Sends what is left, for so long at most. For a thread that may wait.
    pub fn stop(self, patience: Duration) {
        exporter::stop(&self.queue, &self.stopped, patience);
    }
}

impl TryFrom<f64> for Ratio {
    type Error = &'static str;

    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&ratio) {
            Ok(Self(ratio))
        } else {
            Err("ratio lies between 0 and 1")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_has_no_room_is_dropped_and_counted_and_nobody_waits() {
        const MORE_THAN_FITS: usize = exporter::ROOM + exporter::BATCH + 10;
        // It lets the post connect, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = dropped.clone();
        let observe = move |fate, requests| {
            if fate == Fate::Dropped {
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
