//! The metrics of a server, in `OpenMetrics` text.

mod changes;
mod connections;
mod gauges;
mod labels;
mod lanes;
mod limits;
mod models;
mod plain;
mod process;
mod verdicts;
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
use crate::engine::judgement::{ChangeVerdict, Judgement};
use crate::engine::{Event, ModelEvent, Observer, Stage, batch};
use crate::ops::traces::ExportOutcome;
use changes::Changes;
use labels::{
    CodeLabel, DroppedLabel, DurationLabels, KeyLabels, LimitLabel, OUTCOMES, OutcomeLabel,
    ReloadLabels, RequestLabels, RouteLabel,
};
use models::Models;
use verdicts::Verdicts;
use workers::Workers;

pub use connections::Connections;
pub(crate) use connections::Ended;
pub(crate) use gauges::{Gauges, ModelGauges};
pub(crate) use labels::{Route, outcome};
pub(crate) use plain::plain;

/// Bucket limits in seconds, from 50 µs: a small model is faster than the usual buckets.
const SECONDS: [f64; 18] = [
    50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.5e-3, 2.5e-3, 5e-3, 10e-3, 20e-3, 40e-3, 80e-3, 0.15,
    0.3, 0.6, 1.2, 2.5, 10.0,
];

/// The limits that can reject a request as overloaded. Their counters start at zero.
const REFUSING: [Limit; 7] = [
    Limit::Requests,
    Limit::Queue,
    Limit::Bulk,
    Limit::Bodies,
    Limit::Decodes,
    Limit::Receiving,
    Limit::Unsent,
];

/// The metrics of one server.
///
/// Counters with known labels are created at the start with the value zero: Prometheus sees no increase in a counter
/// that first appears with the value 1.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    disconnects: Family<RouteLabel, Counter>,
    item_problems: Family<CodeLabel, Counter>,
    key_requests: Family<KeyLabels, Counter>,
    judged: Verdicts,
    changes: Changes,
    models: Models,
    workers: Workers,
    connections: Connections,
    not_decoded: Counter,
    not_run: Counter,
    /// One for each limit that can reject a request.
    overloads: Vec<(Limit, Counter)>,
    bodies_ended: Family<LimitLabel, Counter>,
    reloads: Family<ReloadLabels, Counter>,
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
    /// Creates all metrics with the value zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("siamese");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program's version", build);

        let requests = Family::default();
        let help = "Answered requests, by route, status and problem code";
        registry.register("requests", help, requests.clone());
        let durations = Family::new_with_constructor(seconds as fn() -> Histogram);
        let help = "Time from a request's head to its response";
        registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
        let disconnects = Family::default();
        let help = "Requests whose client disconnected before the response, by route";
        registry.register("client_disconnects", help, disconnects.clone());
        let item_problems = Family::default();
        let help = "Images that failed in a request that otherwise succeeded, by problem code";
        registry.register("item_problems", help, item_problems.clone());

        let key_requests = Family::default();
        let help = "Requests with a valid API key, by the name of the key and the outcome";
        registry.register("key_requests", help, key_requests.clone());

        let overloads = Family::<LimitLabel, Counter>::default();
        let help = "Requests rejected as overloaded, by the limit that was reached";
        registry.register("overloads", help, overloads.clone());
        let overload =
            |limit: Limit| overloads.get_or_create_owned(&LimitLabel { limit: limit.name() });

        let bodies_ended = Family::<LimitLabel, Counter>::default();
        let help = "Slow request bodies that were ended for others, by the limit that was reached";
        registry.register("bodies_ended", help, bodies_ended.clone());
        for limit in [Limit::Connection, Limit::Receiving, Limit::Bodies] {
            let _ = bodies_ended.get_or_create_owned(&LimitLabel { limit: limit.name() });
        }

        let dropped = Family::<DroppedLabel, Counter>::default();
        let help = "Images dropped because their client had left, by the next stage";
        registry.register("dropped_images", help, dropped.clone());
        let dropped_before =
            |stage: Stage| dropped.get_or_create_owned(&DroppedLabel { before: stage.as_str() });

        let reloads = Family::<ReloadLabels, Counter>::default();
        let help = "Reloads at SIGHUP, by what was reloaded and its outcome";
        registry.register("reloads", help, reloads.clone());
        for item in ["models", "keys", "certificate"] {
            for outcome in ["ok", "failed"] {
                let _ = reloads.get_or_create_owned(&ReloadLabels { item, outcome });
            }
        }

        let traces = Family::<OutcomeLabel, Counter>::default();
        let help = "Traced requests, by the outcome of the export";
        registry.register("traced_requests", help, traces.clone());
        let trace = |outcome| traces.get_or_create_owned(&OutcomeLabel { outcome });

        let connections = Connections::register(&mut registry);
        let judged = Verdicts::register(&mut registry);
        let changes = Changes::register(&mut registry);
        let models = Models::register(&mut registry);
        let workers = Workers::register(&mut registry);
        Self {
            registry,
            requests,
            durations,
            disconnects,
            item_problems,
            key_requests,
            judged,
            changes,
            models,
            workers,
            connections,
            not_decoded: dropped_before(Stage::Decode),
            not_run: dropped_before(Stage::Model),
            overloads: REFUSING.map(|limit| (limit, overload(limit))).into(),
            bodies_ended,
            reloads,
            traces_sent: trace("sent"),
            traces_failed: trace("failed"),
            traces_dropped: trace("dropped"),
        }
    }

    /// Counts the outcome of exporting traced requests.
    pub fn traced(&self, outcome: ExportOutcome, requests: u64) {
        match outcome {
            ExportOutcome::Sent => &self.traces_sent,
            ExportOutcome::Failed => &self.traces_failed,
            ExportOutcome::Dropped => &self.traces_dropped,
        }
        .inc_by(requests);
    }

    /// Counts a reload at SIGHUP of the models, the keys or the certificate.
    pub fn reloaded(&self, item: &'static str, ok: bool) {
        let outcome = if ok { "ok" } else { "failed" };
        self.reloads.get_or_create(&ReloadLabels { item, outcome }).inc();
    }

    /// The metrics of the main port's connections.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Counts a verdict of the model with this digest.
    pub(crate) fn judged(&self, digest: &str, judgement: &Judgement) {
        self.judged.count(digest, judgement);
    }

    /// Counts a verdict on two images of a scene.
    pub(crate) fn changed(&self, verdict: ChangeVerdict) {
        self.changes.count(verdict);
    }

    /// Returns an observer that counts the engine's events.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let metrics = self.clone();
        Arc::new(move |event| metrics.event(event))
    }

    fn event(&self, event: Event) {
        match event {
            Event::Model(name, event) => {
                self.models.event(name, &event);
                match event {
                    ModelEvent::InService(model) => self.judged.begin(name, &model.digest),
                    ModelEvent::Removed => self.judged.end(name),
                    ModelEvent::Seen { digest, familiarity } => {
                        self.judged.see(digest, familiarity);
                    }
                    ModelEvent::Run(batch::Event::Taken { dropped, .. }) => {
                        self.not_run.inc_by(dropped as u64);
                    }
                    _ => {}
                }
            }
            Event::Worker(event) => self.workers.count(event),
            Event::NotDecoded => {
                self.not_decoded.inc();
            }
            Event::DecoderFailed => {
                self.workers.decoder_failures.inc();
            }
        }
    }

    /// Counts a client that disconnected before its response.
    pub(crate) fn disconnected(&self, route: &Route) {
        self.disconnects.get_or_create(&RouteLabel { route: route.clone() }).inc();
    }

    /// Counts an image that failed in a request that otherwise succeeded.
    pub(crate) fn item_problem(&self, code: &'static str) {
        self.item_problems.get_or_create(&CodeLabel { code }).inc();
    }

    /// Creates the counters of keys with these names, with the value zero.
    pub fn expect_keys(&self, names: impl IntoIterator<Item = Arc<str>>) {
        for key in names {
            for outcome in OUTCOMES {
                let _ = self.key_requests.get_or_create(&KeyLabels { key: key.clone(), outcome });
            }
        }
    }

    /// Counts a request with the key of this name.
    pub(crate) fn key_request(&self, key: &Arc<str>, outcome: &'static str) {
        self.key_requests.get_or_create(&KeyLabels { key: key.clone(), outcome }).inc();
    }

    /// Counts a rejected request by the limit that was reached. The limit per connection counts as the limit of all.
    pub(crate) fn overloaded(&self, limit: Limit) {
        let limit = if limit == Limit::Connection { Limit::Receiving } else { limit };
        if let Some((_, counter)) = self.overloads.iter().find(|(other, _)| *other == limit) {
            counter.inc();
        }
    }

    /// Counts a body that was ended for others, by the limit that was reached.
    pub(crate) fn body_ended(&self, limit: Limit) {
        self.bodies_ended.get_or_create(&LimitLabel { limit: limit.name() }).inc();
    }

    /// All metrics as `OpenMetrics` text, with the current values of the gauges.
    pub(crate) fn text(&self, now: &Gauges) -> String {
        let mut gauges = Registry::default();
        now.register(gauges.sub_registry_with_prefix("siamese"));
        process::register(&mut gauges);
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &gauges))
            .and_then(|()| encode_eof(&mut text))
            .expect("writing to a string does not fail");
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
