//! How many connections there are. One beyond the most waits unseen, and is told by nothing else.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counters of a port's connections. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    accepted: Counter,
    open: Gauge,
}

/// A connection, counted as open until this is dropped.
pub(in crate::http) struct Open(Gauge);

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("connections_accepted", "Connections accepted", all.accepted.clone());
        registry.register("connections_open", "Connections open", all.open.clone());
        all
    }

    /// Counts a connection that was accepted.
    pub(in crate::http) fn begin(&self) -> Open {
        self.accepted.inc();
        self.open.inc();
        Open(self.open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
