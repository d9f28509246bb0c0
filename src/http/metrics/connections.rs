//! Metrics of connections: how many are open, and why the server closed some.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of a port's connections. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    accepted: Counter,
    open: Gauge,
    ended: Family<WhyLabel, Counter>,
}

/// A connection, counted as open until this is dropped.
pub(crate) struct Open(Gauge);

/// Why the server closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client sent no byte.
    Silent,
    /// A request's head took too long to arrive.
    Head,
    /// The connection had no request for too long.
    Idle,
    /// The client took nothing of a response for too long.
    Stalled,
    /// It was idle when a new connection needed its slot.
    ConnectionsFull,
    /// The client took nothing of a response when memory for responses ran out.
    UnsentFull,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

impl Ended {
    const ALL: [Self; 6] = [
        Self::Silent,
        Self::Head,
        Self::Idle,
        Self::Stalled,
        Self::ConnectionsFull,
        Self::UnsentFull,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::ConnectionsFull => "connections_full",
            Self::UnsentFull => "unsent_full",
        }
    }
}

impl Connections {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("connections_accepted", "Accepted connections", all.accepted.clone());
        registry.register("connections_open", "Open connections", all.open.clone());
        let help = "Connections that the server closed, by reason";
        registry.register("connections_ended", help, all.ended.clone());
        for why in Ended::ALL {
            let _ = all.counter(why);
        }
        all
    }

    /// Counts an accepted connection.
    pub(crate) fn begin(&self) -> Open {
        self.accepted.inc();
        self.open.inc();
        Open(self.open.clone())
    }

    /// Counts a connection that the server closed.
    pub(crate) fn ended(&self, why: Ended) {
        self.counter(why).inc();
    }

    fn counter(&self, why: Ended) -> Counter {
        self.ended.get_or_create_owned(&WhyLabel { why: why.as_str() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
