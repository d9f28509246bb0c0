//! What is counted.

mod connections;
mod judged;
mod labels;
mod lanes;
mod limits;
mod now;
mod plain;
mod process;
mod troubles;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::admission::Limit;
use crate::engine::judgement::Judgement;
use crate::engine::{Event, Observer, Stage, batch};
use crate::ops::traces::ExportOutcome;
use judged::AllJudged;
use labels::{
    CodeLabel, DroppedLabel, DurationLabels, FullLabel, OutcomeLabel, RequestLabels, RouteLabel,
    StageLabel, outcome,
};
use troubles::Troubles;
use workers::Workers;

pub use connections::Connections;
pub(crate) use connections::Ended;
pub(crate) use labels::Route;
pub(crate) use now::Now;
pub(crate) use plain::plain;

/// Seconds, from 50 µs: a compact model answers below the buckets that are usual.
const SECONDS: [f64; 18] = [
    50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.5e-3, 2.5e-3, 5e-3, 10e-3, 20e-3, 40e-3, 80e-3, 0.15,
    0.3, 0.6, 1.2, 2.5, 10.0,
];

const IMAGES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The limits at which requests are refused as overloaded, told at zero from the start.
const REFUSING: [Limit; 7] = [
    Limit::Requests,
    Limit::Queue,
    Limit::Bulk,
    Limit::Bodies,
    Limit::Decodes,
    Limit::Receiving,
    Limit::Unsent,
];

/// The counters of one server.
///
/// Those whose labels are known beforehand are at hand, and told at zero from the start: a counter that first
/// appears at 1 never rose, to Prometheus.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    departures: Family<RouteLabel, Counter>,
    item_problems: Family<CodeLabel, Counter>,
    judged: AllJudged,
    troubles: Troubles,
    workers: Workers,
    connections: Connections,
    batches: Histogram,
    decode: Histogram,
    queue: Histogram,
    model: Histogram,
    hits: Counter,
    misses: Counter,
    not_decoded: Counter,
    not_run: Counter,
    /// Of those limits at which requests are refused.
    overloads: Vec<(Limit, Counter)>,
    bodies_ended: Family<FullLabel, Counter>,
    traces_sent: Counter,
    traces_failed: Counter,
    traces_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("siamese");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);

        let requests = Family::default();
        let help = "Requests answered, by route, status and problem code";
        registry.register("requests", help, requests.clone());
        let durations = Family::new_with_constructor(seconds as fn() -> Histogram);
        let help = "From a request's headers to its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
        let departures = Family::default();
        let help = "Clients that left before their answer, by route";
        registry.register("client_disconnects", help, departures.clone());
        let item_problems = Family::default();
        let help = "Images that failed alone, in requests that were answered, by problem code";
        registry.register("item_problems", help, item_problems.clone());

        let overloads = Family::<FullLabel, Counter>::default();
        let help = "Requests refused as overloaded, by what was full";
        registry.register("overloads", help, overloads.clone());
        let full = |limit: Limit| overloads.get_or_create_owned(&FullLabel { full: limit.name() });

        let bodies_ended = Family::<FullLabel, Counter>::default();
        let help = "Bodies that came slowly and were ended for others, by what was full";
        registry.register("bodies_ended", help, bodies_ended.clone());
        for limit in [Limit::Connection, Limit::Receiving, Limit::Bodies] {
            let _ = bodies_ended.get_or_create_owned(&FullLabel { full: limit.name() });
        }

        let stages = Family::<StageLabel, Histogram>::new_with_constructor(seconds);
        let help = "Parts of a request's work";
        registry.register_with_unit("stage", help, Unit::Seconds, stages.clone());
        let stage = |it: Stage| stages.get_or_create_owned(&StageLabel { stage: it.as_str() });

        let batches = Histogram::new(IMAGES);
        let help = "Images that went through the model in one run";
        registry.register("batch_images", help, batches.clone());
        let dropped = Family::<DroppedLabel, Counter>::default();
        let help = "Images that nobody waited for any more, by the stage that they were spared";
        registry.register("dropped_images", help, dropped.clone());
        let spared = |it: Stage| dropped.get_or_create_owned(&DroppedLabel { before: it.as_str() });

        let lookups = Family::<OutcomeLabel, Counter>::default();
        registry.register("cache_lookups", "Images looked up in the cache", lookups.clone());
        let lookup = |outcome| lookups.get_or_create_owned(&OutcomeLabel { outcome });

        let traces = Family::<OutcomeLabel, Counter>::default();
        let help = "Traced requests, by what became of their spans";
        registry.register("traced_requests", help, traces.clone());
        let trace = |outcome| traces.get_or_create_owned(&OutcomeLabel { outcome });

        let connections = Connections::register(&mut registry);
        let judged = AllJudged::register(&mut registry);
        let troubles = Troubles::register(&mut registry);
        let workers = Workers::register(&mut registry);
        Self {
            registry,
            requests,
            durations,
            departures,
            item_problems,
            judged,
            troubles,
            workers,
            connections,
            batches,
            decode: stage(Stage::Decode),
            queue: stage(Stage::Queue),
            model: stage(Stage::Model),
            hits: lookup("hit"),
            misses: lookup("miss"),
            not_decoded: spared(Stage::Decode),
            not_run: spared(Stage::Model),
            overloads: REFUSING.map(|limit| (limit, full(limit))).into(),
            bodies_ended,
            traces_sent: trace("sent"),
            traces_failed: trace("failed"),
            traces_dropped: trace("dropped"),
        }
    }

    /// Counts what became of traced requests.
    pub fn traced(&self, outcome: ExportOutcome, requests: u64) {
        match outcome {
            ExportOutcome::Sent => &self.traces_sent,
            ExportOutcome::Failed => &self.traces_failed,
            ExportOutcome::Dropped => &self.traces_dropped,
        }
        .inc_by(requests);
    }

    /// The counters of the connections of those who ask for work.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Counts a verdict of the model with this digest.
    pub(crate) fn judged(&self, digest: &str, judgement: &Judgement) {
        self.judged.count(digest, judgement);
    }

    /// Counts what happens in an engine.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let metrics = self.clone();
        Arc::new(move |event| metrics.event(event))
    }

    fn event(&self, event: Event) {
        match event {
            Event::InService(model) => self.judged.begin(&model.digest),
            Event::Swapped { ok } => self.troubles.swaps.count(ok),
            Event::Run(event) => self.run(event),
            Event::Worker(event) => self.workers.count(event),
            Event::LookedUp { is_known } => {
                if is_known { &self.hits } else { &self.misses }.inc();
            }
            Event::Took(stage, took) => match stage {
                Stage::Decode => &self.decode,
                Stage::Queue => &self.queue,
                Stage::Model => &self.model,
            }
            .observe(took.as_secs_f64()),
            Event::NotDecoded => {
                self.not_decoded.inc();
            }
            Event::DecoderFailed => {
                self.workers.decoder_failures.inc();
            }
        }
    }

    fn run(&self, event: batch::Event) {
        match event {
            batch::Event::Taken { run, dropped } => {
                if 0 < run {
                    self.batches.observe(f64::from(u32::try_from(run).unwrap_or(u32::MAX)));
                }
                self.not_run.inc_by(dropped as u64);
            }
            batch::Event::Failed => {
                self.troubles.errors.inc();
            }
            batch::Event::Panicked => {
                self.troubles.panics.inc();
            }
            batch::Event::Renewed => self.troubles.renewals.count(true),
            batch::Event::Lost => self.troubles.renewals.count(false),
        }
    }

    /// Counts a client that left before its answer.
    pub(crate) fn departed(&self, route: &Route) {
        self.departures.get_or_create(&RouteLabel { route: route.clone() }).inc();
    }

    /// Counts an image of several that has a problem where the others have answers.
    pub(crate) fn item_problem(&self, code: &'static str) {
        self.item_problems.get_or_create(&CodeLabel { code }).inc();
    }

    /// Counts a refusal by the limit that was reached. One connection's bodies are told with those of all.
    pub(crate) fn overloaded(&self, limit: Limit) {
        let limit = if limit == Limit::Connection { Limit::Receiving } else { limit };
        if let Some((_, counter)) = self.overloads.iter().find(|(other, _)| *other == limit) {
            counter.inc();
        }
    }

    /// Counts a body that was ended for others, by what was full.
    pub(crate) fn body_ended(&self, limit: Limit) {
        self.bodies_ended.get_or_create(&FullLabel { full: limit.name() }).inc();
    }

    /// All counters as `OpenMetrics` text, with the gauges as they are now.
    pub(crate) fn text(&self, now: &Now) -> String {
        let mut gauges = Registry::default();
        now.register(gauges.sub_registry_with_prefix("siamese"));
        process::register(&mut gauges);
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &gauges))
            .and_then(|()| encode_eof(&mut text))
            .expect("a string takes all");
        text
    }

    pub(crate) fn request(
        &self,
        route: &Route,
        status: StatusCode,
        code: &'static str,
        took: Duration,
    ) {
        let label = DurationLabels { route: route.clone(), outcome: outcome(status) };
        self.durations.get_or_create(&label).observe(took.as_secs_f64());
        let label = RequestLabels { route: label.route, status: status.as_u16(), code };
        self.requests.get_or_create(&label).inc();
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}
