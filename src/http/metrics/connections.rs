//! How many connections there are, and why some were ended. One beyond the most waits unseen, and is told by nothing else.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counters of a port's connections. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    accepted: Counter,
    open: Gauge,
    ended: Family<WhyLabel, Counter>,
}

/// A connection, counted as open until this is dropped.
pub(crate) struct Open(Gauge);

/// Why a connection was ended, where its client did not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It sent no byte.
    Silent,
    /// It took too long for a request's head.
    Head,
    /// It had no request for too long.
    Idle,
    /// It took nothing of an answer for too long.
    Stalled,
    /// It idled while another came and there was no room.
    Crowded,
    /// It took nothing of an answer, for which there was no room any more.
    AnswersFull,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

impl Ended {
    const ALL: [Self; 6] =
        [Self::Silent, Self::Head, Self::Idle, Self::Stalled, Self::Crowded, Self::AnswersFull];

    fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Crowded => "connections_full",
            Self::AnswersFull => "answers_full",
        }
    }
}

impl Connections {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("connections_accepted", "Connections accepted", all.accepted.clone());
        registry.register("connections_open", "Connections open", all.open.clone());
        let help = "Connections that the server ended, by why";
        registry.register("connections_ended", help, all.ended.clone());
        for why in Ended::ALL {
            let _ = all.counter(why);
        }
        all
    }

    /// Counts a connection that was accepted.
    pub(crate) fn begin(&self) -> Open {
        self.accepted.inc();
        self.open.inc();
        Open(self.open.clone())
    }

    /// Counts a connection that the server ended.
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
