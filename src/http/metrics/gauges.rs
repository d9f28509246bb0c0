//! Gauges that are read only when the metrics are requested.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use siamese_core::model::{Description, Device};

use super::models::ModelLabel;
use super::{lanes, limits, process};
use crate::engine::decode::Lane;
use crate::ops::settings::Settings;
use crate::ops::telemetry::dropped_lines;

/// The current state of the service.
pub(crate) struct Gauges<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) models: &'a [ModelGauges<'a>],
    pub(crate) body_bytes: usize,
    pub(crate) receiving: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) ready: bool,
    pub(crate) lanes: &'a [Lane],
}

/// The current state of one model.
pub(crate) struct ModelGauges<'a> {
    pub(crate) name: &'a str,
    pub(crate) model: &'a Description,
    pub(crate) is_ready: bool,
    pub(crate) drift: f64,
    pub(crate) cached_bytes: u64,
    pub(crate) queue_depth: usize,
    pub(crate) reserved: usize,
    pub(crate) bulk_images: usize,
    pub(crate) self_test_age: Duration,
    pub(crate) longest_run: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InfoLabels {
    model: Arc<str>,
    name: String,
    digest: String,
    device: &'static str,
    execution_provider: &'static str,
    device_asked: &'static str,
}

impl Gauges<'_> {
    /// Registers all gauges with their current values, and the limits beside them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let server = &self.settings.server;
        self.register_models(registry);
        lanes::register(registry, self.lanes);
        let help = "Resident memory of the decoder processes";
        bytes(registry, "workers_resident_memory", help, process::workers_resident_memory());
        let ready = u32::from(self.ready);
        gauge(registry, "ready", "1 if the server is ready to receive requests, else 0", ready);
        let help = "Most open connections; beyond that, idle ones are closed";
        gauge(registry, "connections_max", help, server.max_connections.get());
        let help = "Requests in progress";
        gauge(registry, "in_flight_requests", help, self.in_flight);
        let help = "Most requests in progress; more are rejected";
        gauge(registry, "in_flight_requests_max", help, server.max_in_flight.get());
        bytes(registry, "bodies_held", "Request bodies in memory", self.body_bytes);
        let help = "Most bytes of request bodies in memory; more are rejected";
        bytes(registry, "bodies_max", help, server.max_bodies_bytes.get());
        let help = "Requests whose bodies are still arriving";
        gauge(registry, "receiving_requests", help, self.receiving);
        let help = "Responses that clients have not taken yet";
        bytes(registry, "responses_unsent", help, self.answer_bytes);
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

    /// Registers what each model has of its own.
    fn register_models(&self, registry: &mut Registry) {
        let settings = &self.settings;
        let info = Family::<InfoLabels, Gauge>::default();
        let help = "Always 1: the models in service by name, and the devices that run them";
        registry.register("model_info", help, info.clone());
        let device_asked = match settings.model.device {
            Device::Cpu => "cpu",
            Device::PreferGpu => "prefer-gpu",
            Device::RequireGpu => "require-gpu",
        };
        for ModelGauges { name, model, .. } in self.models {
            let labels = InfoLabels {
                model: (*name).into(),
                name: model.card.name.clone(),
                digest: model.digest.clone(),
                device: model.provider.device(),
                execution_provider: model.provider.name(),
                device_asked,
            };
            info.get_or_create(&labels).set(1);
        }
        let help = "1 if the model is ready to receive requests, else 0";
        self.each(registry, "model_ready", help, |model| f64::from(u8::from(model.is_ready)));
        let help = "Evidence that recent images are unlike those of the calibration: 0 is none, and from 1 on the stream is \
                    unfamiliar";
        self.each(registry, "familiarity_drift", help, |model| model.drift);
        let help = "Time since the last successful self-test, in seconds";
        self.each(registry, "self_test_age_seconds", help, |model| {
            model.self_test_age.as_secs_f64()
        });
        let help = "Self-test age above which the model is not ready, in seconds";
        let most = settings.health.max_age().as_secs_f64();
        self.each(registry, "self_test_max_age_seconds", help, |_| most);
        let help = "Time that the longest current run of the model has taken, in seconds; 0 if the model is idle";
        self.each(registry, "longest_run_seconds", help, |model| model.longest_run.as_secs_f64());
        let help = "Images that wait for the model";
        self.each(registry, "queue_depth", help, |model| number(model.queue_depth));
        let help = "Images that are decoded, wait for the model or run";
        self.each(registry, "queue_reserved", help, |model| number(model.reserved));
        let help = "Most images that are decoded, wait for the model or run; more are rejected";
        self.each(registry, "queue_max", help, |_| number(settings.model.queue.get()));
        let help = "Images in progress of bulk requests (more than a pair)";
        self.each(registry, "bulk_images", help, |model| number(model.bulk_images));
        let help = "Most images in progress of bulk requests (more than a pair); more are rejected";
        self.each(registry, "bulk_images_max", help, |_| number(settings.model.bulk_queue.get()));
        let help = "Embeddings in the cache, in bytes";
        self.each(registry, "cache_held_bytes", help, |model| number(model.cached_bytes));
        let help = "Most bytes of embeddings in the cache; 0 if the cache is off";
        self.each(registry, "cache_max_bytes", help, |_| number(settings.cache.max_bytes));
    }

    /// Registers a gauge with a value for each model.
    fn each(
        &self,
        registry: &mut Registry,
        name: &'static str,
        help: Help,
        value: impl Fn(&ModelGauges) -> f64,
    ) {
        let family = Family::<ModelLabel, Gauge<f64, AtomicU64>>::default();
        for model in self.models {
            family.get_or_create(&ModelLabel { model: model.name.into() }).set(value(model));
        }
        registry.register(name, help, family);
    }
}

/// A count as a value of a gauge.
fn number(count: impl TryInto<u64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let number = count.try_into().unwrap_or(u64::MAX) as f64;
    number
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
