//! What is measured only when somebody asks.

use std::time::Duration;

use prometheus_client::encoding::EncodeGaugeValue;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use siamese_core::model::{Description, Device};

use super::{lanes, limits, process};
use crate::engine::decode::Lane;
use crate::ops::settings::Settings;
use crate::ops::telemetry::dropped_lines;

/// The service as it is just now.
pub(crate) struct Now<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) tower: &'a Description,
    pub(crate) cached_bytes: u64,
    pub(crate) body_bytes: usize,
    pub(crate) receiving: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) queue_depth: usize,
    pub(crate) places_taken: usize,
    pub(crate) bulk_pictures: usize,
    pub(crate) ready: bool,
    pub(crate) self_test_age: Duration,
    pub(crate) longest_run: Duration,
    pub(crate) lanes: &'a [Lane],
}

impl Now<'_> {
    /// Adds all gauges as they are, beside the limits that they run up to.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let server = &self.settings.server;
        self.register_tower(registry);
        lanes::register(registry, self.lanes);
        let help = "Memory in use by the processes that decode";
        bytes(registry, "workers_resident_memory", help, process::workers_resident_memory());
        let ready = u32::from(self.ready);
        gauge(registry, "ready", "1 while work should be sent here", ready);
        let age = self.self_test_age.as_secs_f64();
        seconds(registry, "self_test_age", "Since the tower was last proved right", age);
        let most = self.settings.health.max_age().as_secs_f64();
        seconds(registry, "self_test_max_age", "The age beyond which it is not ready", most);

        let help =
            "How long the run has taken that has been going on for longest; 0 while there is none";
        seconds(registry, "longest_run", help, self.longest_run.as_secs_f64());

        let help = "Connections at most; for more, idle ones are ended";
        gauge(registry, "connections_max", help, server.max_connections.get());
        let help = "Requests being worked on";
        gauge(registry, "in_flight_requests", help, self.in_flight);
        let help = "Requests worked on at most; more are refused";
        gauge(registry, "in_flight_requests_max", help, server.max_in_flight.get());
        gauge(registry, "queue_depth", "Pictures waiting for the tower", self.queue_depth);
        let help = "Pictures being decoded, waiting for the tower or in it";
        gauge(registry, "places_taken", help, self.places_taken);
        let help = "Pictures being decoded, waiting or in the tower at most; more are refused";
        gauge(registry, "places_max", help, self.settings.tower.queue.get());
        let help = "Pictures in hand of requests with more than a pair";
        gauge(registry, "bulk_pictures", help, self.bulk_pictures);
        let help = "Pictures in hand of requests with more than a pair at most; more are refused";
        gauge(registry, "bulk_pictures_max", help, self.settings.tower.bulk_queue.get());
        bytes(registry, "bodies_held", "Requests' bodies in memory", self.body_bytes);
        let help = "Requests' bodies in memory at most; more are refused";
        bytes(registry, "bodies_max", help, server.max_bodies_bytes.get());
        let help = "Requests whose bodies have not come whole";
        gauge(registry, "receiving_requests", help, self.receiving);
        let help = "Answers that their clients have not taken";
        bytes(registry, "answers_held", help, self.answer_bytes);
        bytes(registry, "cache_held", "Embeddings held in the cache", self.cached_bytes);
        let help = "Embeddings held in the cache at most; 0 where it is off";
        bytes(registry, "cache_max", help, self.settings.cache.max_bytes);
        let help = "A request's deadline where its client names none";
        seconds(registry, "deadline", help, server.deadline().as_secs_f64());
        limits::register(registry, self.settings);
        let help = "Lines of the log for which there was no room";
        registry.register("log_lines_dropped", help, ConstCounter::new(dropped_lines()));
        if let Some(limit) = process::memory_limit() {
            let help =
                "Memory that the process may have: its control group's limit, or the machine's";
            bytes(registry, "memory_limit", help, limit);
        }
    }

    fn register_tower(&self, registry: &mut Registry) {
        let asked = match self.settings.tower.device {
            Device::Cpu => "cpu",
            Device::PreferGpu => "prefer-gpu",
            Device::RequireGpu => "require-gpu",
        };
        let provider = self.tower.provider;
        let tower = Info::new([
            ("name", self.tower.card.name.clone()),
            ("digest", self.tower.digest.clone()),
            ("device", provider.device().to_owned()),
            ("execution_provider", provider.name().to_owned()),
            ("device_asked", asked.to_owned()),
        ]);
        registry.register("tower", "The tower that is served, and what really runs it", tower);
    }
}

type Help = &'static str;

fn gauge<N>(registry: &mut Registry, name: &'static str, help: Help, value: N)
where
    N: EncodeGaugeValue + std::fmt::Debug + Send + Sync + 'static,
{
    registry.register(name, help, ConstGauge::new(value));
}

fn bytes<N>(registry: &mut Registry, name: &'static str, help: Help, value: N)
where
    N: EncodeGaugeValue + std::fmt::Debug + Send + Sync + 'static,
{
    registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
}

fn seconds(registry: &mut Registry, name: &'static str, help: Help, value: f64) {
    registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(value));
}
