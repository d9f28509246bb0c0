//! What is measured only when somebody asks.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use siamese_core::model::{Description, Device};

use super::process;
use crate::http::decode::Lane;
use crate::settings::Settings;

/// The service as it is just now.
pub(in crate::http) struct Now<'a> {
    pub(in crate::http) settings: &'a Settings,
    pub(in crate::http) tower: &'a Description,
    pub(in crate::http) cached_bytes: u64,
    pub(in crate::http) body_bytes: usize,
    pub(in crate::http) in_flight: usize,
    pub(in crate::http) queue_depth: usize,
    pub(in crate::http) places_taken: usize,
    pub(in crate::http) bulk_pictures: usize,
    pub(in crate::http) ready: bool,
    pub(in crate::http) self_test_age: Duration,
    pub(in crate::http) longest_run: Duration,
    pub(in crate::http) lanes: &'a [Lane],
}

/// A lane of workers, by the most pixels of its pictures.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    max_pixels: u64,
}

impl Now<'_> {
    /// Adds all gauges as they are, beside the limits that they run up to.
    pub(super) fn register(&self, registry: &mut Registry) {
        let server = &self.settings.server;
        self.register_tower(registry);
        self.register_lanes(registry);
        let ready = u32::from(self.ready);
        gauge(registry, "ready", "1 while work should be sent here", ready);
        let age = self.self_test_age.as_secs_f64();
        seconds(registry, "self_test_age", "Since the tower was last proved right", age);
        let most = self.settings.health.max_age().as_secs_f64();
        seconds(registry, "self_test_max_age", "The age beyond which it is not ready", most);

        let help =
            "How long the run has taken that has been going on for longest; 0 while there is none";
        seconds(registry, "longest_run", help, self.longest_run.as_secs_f64());

        let help = "Connections at most; more wait to be accepted";
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
        bytes(registry, "bodies_max", help, server.max_bodies_bytes);
        bytes(registry, "cache_held", "Embeddings held in the cache", self.cached_bytes);
        let help = "Embeddings held in the cache at most; 0 where it is off";
        bytes(registry, "cache_max", help, self.settings.cache.max_bytes);
        let help = "A request's deadline where its client names none";
        seconds(registry, "deadline", help, server.deadline().as_secs_f64());
        if let Some(limit) = process::memory_limit() {
            let help =
                "Memory that the process may have: its control group's limit, or the machine's";
            bytes(registry, "memory_limit", help, limit);
        }
    }

    /// What a picture may cost, in each lane of workers.
    fn register_lanes(&self, registry: &mut Registry) {
        let [decodes, cpu, memory] =
            [(); 3].map(|()| Family::<LaneLabel, Gauge<f64, AtomicU64>>::default());
        for lane in self.lanes {
            let label = LaneLabel { max_pixels: lane.max_pixels };
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let [places, bytes] = [lane.decodes as f64, lane.allowance.memory as f64];
            decodes.get_or_create(&label).set(places);
            cpu.get_or_create(&label).set(lane.allowance.cpu.as_secs_f64());
            memory.get_or_create(&label).set(bytes);
        }
        let help = "Pictures that workers decode at once, in the lane of up to so many pixels";
        registry.register("decode_lane_decodes_max", help, decodes);
        let help = "CPU time that decoding a picture may take, in the lane of up to so many pixels";
        registry.register_with_unit("decode_lane_cpu_max", help, Unit::Seconds, cpu);
        let help = "Memory in use by the processes that decode";
        bytes(registry, "workers_resident_memory", help, process::workers_resident_memory());
        let help = "Memory that decoding a picture may take, in the lane of up to so many pixels";
        registry.register_with_unit("decode_lane_memory_max", help, Unit::Bytes, memory);
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
