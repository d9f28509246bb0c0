//! Metrics of the decoder processes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::engine::decode::worker::{End, Event};

/// The metrics of the decoder processes. They start at zero.
pub(crate) struct Workers {
    running: Gauge,
    started: Counter,
    cpu_time: Counter,
    memory: Counter,
    crash: Counter,
    abandoned: Counter,
    idle: Counter,
    pub(crate) decoder_failures: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    reason: &'static str,
}

impl Workers {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let running = Gauge::default();
        registry.register("workers", "Decoder processes, busy or idle", running.clone());
        let started = Counter::default();
        registry.register("workers_started", "Decoder processes started", started.clone());
        let ends = Family::<EndLabel, Counter>::default();
        let help = "Decoder processes that ended, by reason: the limit on CPU time or memory, a crash, a client that left, or \
            idleness";
        registry.register("workers_ended", help, ends.clone());
        let end = |reason| ends.get_or_create_owned(&EndLabel { reason });
        let decoder_failures = Counter::default();
        let help = "Images whose decoder panicked or crashed";
        registry.register("decoder_failures", help, decoder_failures.clone());
        Self {
            running,
            started,
            cpu_time: end("cpu_time"),
            memory: end("memory"),
            crash: end("crash"),
            abandoned: end("abandoned"),
            idle: end("idle"),
            decoder_failures,
        }
    }

    pub(crate) fn count(&self, event: Event) {
        match event {
            Event::Started => {
                self.running.inc();
                self.started.inc();
            }
            Event::Ended(end) => {
                self.running.dec();
                match end {
                    End::CpuTime => &self.cpu_time,
                    End::Memory => &self.memory,
                    End::Crash => &self.crash,
                    End::Abandoned => &self.abandoned,
                    End::Idle => &self.idle,
                }
                .inc();
            }
        }
    }
}
