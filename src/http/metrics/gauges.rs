//! Gauges that are read only when the metrics are requested.

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

/// The current state of the service.
pub(crate) struct Gauges<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) model: &'a Description,
    pub(crate) drift: f64,
    pub(crate) cached_bytes: u64,
    pub(crate) body_bytes: usize,
    pub(crate) receiving: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) queue_depth: usize,
    pub(crate) reserved: usize,
    pub(crate) bulk_images: usize,
    pub(crate) ready: bool,
    pub(crate) self_test_age: Duration,
    pub(crate) longest_run: Duration,
    pub(crate) lanes: &'a [Lane],
}

impl Gauges<'_> {
    /// Registers all gauges with their current values, and the limits beside them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let server = &self.settings.server;
        self.register_model(registry);
        lanes::register(registry, self.lanes);
        let help = "Resident memory of the decoder processes";
        bytes(registry, "workers_resident_memory", help, process::workers_resident_memory());
        let ready = u32::from(self.ready);
        let help = "Evidence that recent images are unlike those of the calibration: 0 is none, and from 1 on the stream is \
                    unfamiliar";
        gauge(registry, "familiarity_drift", help, self.drift);
        gauge(registry, "ready", "1 if the server is ready to receive requests, else 0", ready);
        let age = self.self_test_age.as_secs_f64();
        seconds(registry, "self_test_age", "Time since the last successful self-test", age);
        let most = self.settings.health.max_age().as_secs_f64();
        seconds(
            registry,
            "self_test_max_age",
            "Self-test age above which the server is not ready",
            most,
        );

        let help =
            "Time that the longest current run of the model has taken; 0 if the model is idle";
        seconds(registry, "longest_run", help, self.longest_run.as_secs_f64());

        let help = "Most open connections; beyond that, idle ones are closed";
        gauge(registry, "connections_max", help, server.max_connections.get());
        let help = "Requests in progress";
        gauge(registry, "in_flight_requests", help, self.in_flight);
        let help = "Most requests in progress; more are rejected";
        gauge(registry, "in_flight_requests_max", help, server.max_in_flight.get());
        gauge(registry, "queue_depth", "Images that wait for the model", self.queue_depth);
        let help = "Images that are decoded, wait for the model or run";
        gauge(registry, "queue_reserved", help, self.reserved);
        let help = "Most images that are decoded, wait for the model or run; more are rejected";
        gauge(registry, "queue_max", help, self.settings.model.queue.get());
        let help = "Images in progress of bulk requests (more than a pair)";
        gauge(registry, "bulk_images", help, self.bulk_images);
        let help = "Most images in progress of bulk requests (more than a pair); more are rejected";
        gauge(registry, "bulk_images_max", help, self.settings.model.bulk_queue.get());
        bytes(registry, "bodies_held", "Request bodies in memory", self.body_bytes);
        let help = "Most bytes of request bodies in memory; more are rejected";
        bytes(registry, "bodies_max", help, server.max_bodies_bytes.get());
        let help = "Requests whose bodies are still arriving";
        gauge(registry, "receiving_requests", help, self.receiving);
        let help = "Responses that clients have not taken yet";
        bytes(registry, "responses_unsent", help, self.answer_bytes);
        bytes(registry, "cache_held", "Embeddings in the cache", self.cached_bytes);
        let help = "Most bytes of embeddings in the cache; 0 if the cache is off";
        bytes(registry, "cache_max", help, self.settings.cache.max_bytes);
        let help = "Deadline of a request whose client names none";
        seconds(registry, "deadline", help, server.deadline().as_secs_f64());
        limits::register(registry, self.settings);
        let help = "Log lines dropped because the log queue was full";
        registry.register("log_lines_dropped", help, ConstCounter::new(dropped_lines()));
        if let Some(limit) = process::memory_limit() {
            let help = "Memory limit of the process: the limit of its control group, or the machine's memory";
            bytes(registry, "memory_limit", help, limit);
        }
    }

    fn register_model(&self, registry: &mut Registry) {
        let requested = match self.settings.model.device {
            Device::Cpu => "cpu",
            Device::PreferGpu => "prefer-gpu",
            Device::RequireGpu => "require-gpu",
        };
        let provider = self.model.provider;
        let model = Info::new([
            ("name", self.model.card.name.clone()),
            ("digest", self.model.digest.clone()),
            ("device", provider.device().to_owned()),
            ("execution_provider", provider.name().to_owned()),
            ("device_asked", requested.to_owned()),
        ]);
        registry.register("model", "The model in service, and the device that runs it", model);
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
