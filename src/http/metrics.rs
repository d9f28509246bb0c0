//! What is counted.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::batch::Taken;
use crate::model::Description;
use crate::score::Verdict;

/// Seconds, from 50 µs: a compact tower answers below the buckets that are usual.
const SECONDS: [f64; 18] = [
    50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.5e-3, 2.5e-3, 5e-3, 10e-3, 20e-3, 40e-3, 80e-3, 0.15,
    0.3, 0.6, 1.2, 2.5, 10.0,
];

const PICTURES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The counters of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram>,
    stages: Family<StageLabel, Histogram>,
    batches: Histogram,
    verdicts: Family<VerdictLabel, Counter>,
    lookups: Family<LookupLabel, Counter>,
    departures: Family<Route, Counter>,
    dropped: Family<DroppedLabel, Counter>,
    cached_bytes: Gauge,
    in_flight: Gauge,
    queue_depth: Gauge,
    ready: Gauge,
    self_test_age: Gauge<f64, AtomicU64>,
}

/// A part of a request's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Stage {
    Decode,
    Queue,
    Tower,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabel {
    /// The stage that was spared.
    before: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabel {
    outcome: &'static str,
}

/// What is measured only when somebody asks.
pub(super) struct Now {
    pub(super) cached_bytes: u64,
    pub(super) in_flight: usize,
    pub(super) queue_depth: usize,
    pub(super) ready: bool,
    pub(super) self_test_age: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
    /// A problem's code; empty where there was none.
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

impl Metrics {
    /// Counters at zero, for a server of this tower.
    pub fn new(tower: &Description) -> Self {
        let mut registry = Registry::with_prefix("siamese");
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let (requests, verdicts, lookups) =
            (Family::default(), Family::default(), Family::default());
        let (departures, dropped) = (Family::default(), Family::default());
        let cached_bytes = Gauge::default();
        let durations = Family::new_with_constructor(seconds);
        let stages = Family::new_with_constructor(seconds);
        let batches = Histogram::new(PICTURES);
        let (in_flight, queue_depth, ready) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        let self_test_age = Gauge::default();

        registry.register(
            "requests",
            "Requests answered, by route, status and problem code",
            requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From a request's headers to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_with_unit(
            "stage",
            "Parts of a request's work",
            Unit::Seconds,
            stages.clone(),
        );
        registry.register(
            "batch_pictures",
            "Pictures that went through the tower in one run",
            batches.clone(),
        );
        registry.register(
            "departures",
            "Clients that left before their answer, by route",
            departures.clone(),
        );
        registry.register(
            "dropped_pictures",
            "Pictures that nobody waited for any more, by the stage that they were spared",
            dropped.clone(),
        );
        registry.register("verdicts", "Verdicts given", verdicts.clone());
        registry.register("cache_lookups", "Pictures looked up in the cache", lookups.clone());
        registry.register_with_unit(
            "cache_held",
            "Embeddings held in the cache",
            Unit::Bytes,
            cached_bytes.clone(),
        );
        registry.register("in_flight_requests", "Requests being worked on", in_flight.clone());
        registry.register("queue_depth", "Jobs waiting for the tower", queue_depth.clone());
        registry.register("ready", "1 while work should be sent here", ready.clone());
        registry.register_with_unit(
            "self_test_age",
            "Since the tower was last proved right",
            Unit::Seconds,
            self_test_age.clone(),
        );
        registry.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "tower",
            "The tower that is served",
            Info::new([
                ("name", tower.card.name.clone()),
                ("digest", tower.digest.clone()),
                ("device", tower.provider.device().to_owned()),
            ]),
        );
        Self {
            registry,
            requests,
            durations,
            stages,
            batches,
            verdicts,
            lookups,
            departures,
            dropped,
            cached_bytes,
            in_flight,
            queue_depth,
            ready,
            self_test_age,
        }
    }

    /// Counts what a tower took from its queue.
    pub fn taken(&self, taken: Taken) {
        if 0 < taken.run {
            self.batches.observe(f64::from(u32::try_from(taken.run).unwrap_or(u32::MAX)));
        }
        let label = DroppedLabel { before: Stage::Tower };
        self.dropped.get_or_create(&label).inc_by(taken.dropped as u64);
    }

    /// Counts a picture that was not decoded, as nobody waits for it any more.
    pub(super) fn not_decoded(&self) {
        self.dropped.get_or_create(&DroppedLabel { before: Stage::Decode }).inc();
    }

    /// Counts a client that left before its answer.
    pub(super) fn departed(&self, route: &str) {
        self.departures.get_or_create(&Route { route: route.to_owned() }).inc();
    }

    /// All counters as Prometheus text, with the gauges as they are now.
    pub(super) fn text(&self, now: &Now) -> String {
        self.cached_bytes.set(i64::try_from(now.cached_bytes).unwrap_or(i64::MAX));
        self.in_flight.set(signed(now.in_flight));
        self.queue_depth.set(signed(now.queue_depth));
        self.ready.set(i64::from(now.ready));
        self.self_test_age.set(now.self_test_age.as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all");
        text
    }

    pub(super) fn request(
        &self,
        route: &str,
        status: StatusCode,
        code: &'static str,
        took: Duration,
    ) {
        let label = Route { route: route.to_owned() };
        self.durations.get_or_create(&label).observe(took.as_secs_f64());
        let label = Request { route: label.route, status: status.as_u16(), code };
        self.requests.get_or_create(&label).inc();
    }

    pub(super) fn stage(&self, stage: Stage, took: Duration) {
        self.stages.get_or_create(&StageLabel { stage }).observe(took.as_secs_f64());
    }

    /// Counts a look into the cache.
    pub(super) fn lookup(&self, known: bool) {
        let outcome = if known { "hit" } else { "miss" };
        self.lookups.get_or_create(&LookupLabel { outcome }).inc();
    }

    pub(super) fn verdict(&self, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Same => "same",
            Verdict::Different => "different",
        };
        self.verdicts.get_or_create(&VerdictLabel { verdict }).inc();
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
