//! Checks that alerts and dashboard use only metrics and labels that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use futures_util::FutureExt;
use serde_json::Value;

use crate::app::{App, SAME, face, root};
use crate::teams::limited;

/// Labels that Prometheus adds to all metrics.
const ADDED: [&str; 2] = ["job", "instance"];

/// Series that Prometheus creates itself.
const MADE: [&str; 1] = ["up"];

/// Keywords of the query language.
const WORDS: [&str; 5] = ["and", "or", "unless", "offset", "bool"];

/// Keywords that precede a list of labels.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The existing metrics, each with its labels.
pub(crate) struct Known(pub(crate) BTreeMap<String, BTreeSet<String>>);

/// The names in an expression.
#[derive(Debug, Default)]
struct Named {
    metrics: Vec<String>,
    /// Labels, with the metric that they select from, if any.
    labels: Vec<(Option<String>, String)>,
}

impl Known {
    /// Reads the metrics of a server after each kind of event has happened.
    pub(crate) async fn scraped() -> Self {
        let app = App::start();
        let [a, b] = SAME.map(face);
        // A client that disconnects during its request.
        let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        let request = app.post("/embed", "image/png", Body::from_stream(endless));
        assert!(request.now_or_never().is_none());
        app.form("/compare", &[("a", &a), ("b", &b)]).await.ok();
        app.form("/embed", &[("image", &a), ("image", b"no image")]).await.ok();
        let mut known = Self::of(&app).await;
        // Only a service with keys has the metrics of keys.
        for (name, labels) in Self::of(&limited("")).await.0 {
            known.0.entry(name).or_insert(labels);
        }
        known
    }

    async fn of(app: &App) -> Self {
        Self::read(&String::from_utf8(app.get("/metrics").await.ok().body).expect("text"))
    }

    fn read(text: &str) -> Self {
        let mut known = BTreeMap::<String, BTreeSet<String>>::new();
        for sample in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let end = sample.find(['{', ' ']).expect("a value");
            let named = Named::of(sample.rsplit_once(' ').expect("a value").0);
            let labels = named.labels.into_iter().map(|(_, label)| label);
            known.entry(sample[..end].to_owned()).or_default().extend(labels);
        }
        known.extend(MADE.map(|name| (name.to_owned(), BTreeSet::new())));
        Self(known)
    }

    fn has_label(&self, metric: Option<&str>, label: &str) -> bool {
        let of = |text: &str| self.0.get(text).is_some_and(|text| text.contains(label));
        ADDED.contains(&label) || metric.map_or_else(|| self.0.keys().any(|value| of(value)), of)
    }

    /// The metrics and labels of an expression that do not exist.
    fn missing(&self, expression: &str) -> Vec<String> {
        let Named { metrics, labels } = Named::of(expression);
        assert!(!metrics.is_empty(), "nothing is read from {expression}");
        let metrics = metrics.into_iter().filter(|name| !self.0.contains_key(name));
        let labels = labels.into_iter().filter(|(of, label)| !self.has_label(of.as_deref(), label));
        metrics.chain(labels.map(|(of, label)| format!("{label} of {of:?}"))).collect()
    }

    #[track_caller]
    fn check(&self, expression: &str) {
        let missing = self.missing(expression);
        assert!(missing.is_empty(), "{missing:?} in {expression}");
    }

    /// Checks the labels that a text contains, as `{{digest}}` or `{{ $labels.digest }}`.
    #[track_caller]
    fn check_text(&self, text: &str) {
        for hole in text.split("{{").skip(1) {
            let (hole, _) = hole.split_once("}}").expect("an end");
            let hole = hole.trim();
            let label = hole.strip_prefix("$labels.").unwrap_or(hole);
            let value = hole.split(' ').next() == Some("$value");
            assert!(value || self.has_label(None, label), "{label} in {text}");
        }
    }
}

impl Named {
    fn of(expression: &str) -> Self {
        let mut named = Self::default();
        let mut rest = expression;
        while let Some(first) = rest.chars().next() {
            let word = |text: char| text.is_alphanumeric() || "_:".contains(text);
            let length = rest.find(|value| !word(value)).unwrap_or(rest.len());
            if length == 0 {
                rest = match first {
                    '[' => after(rest, ']'),
                    '"' => after(&rest[1..], '"'),
                    '$' => rest[1..].trim_start_matches(word),
                    _ => &rest[first.len_utf8()..],
                };
                continue;
            }
            let name = &rest[..length];
            rest = rest[length..].trim_start();
            if first.is_ascii_digit() || WORDS.contains(&name) {
                continue;
            }
            if GROUPING.contains(&name) {
                let labels = rest.strip_prefix('(').expect("labels");
                let (labels, after) = labels.split_once(')').expect("an end of labels");
                let labels = labels.split(',').map(str::trim).filter(|part| !part.is_empty());
                named.labels.extend(labels.map(|label| (None, label.to_owned())));
                rest = after;
            } else if !["(", "by ", "without "].iter().any(|text| rest.starts_with(text)) {
                named.metrics.push(name.to_owned());
                if rest.starts_with('{') {
                    rest = named.select(name, &rest[1..]);
                }
            }
        }
        named
    }

    /// Reads labels and their values up to the closing brace; gives what follows.
    fn select<'a>(&mut self, metric: &str, mut rest: &'a str) -> &'a str {
        loop {
            rest = rest.trim_start_matches([' ', ',', '\n']);
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let end = rest.find(['=', '!']).expect("a comparison");
            self.labels.push((Some(metric.to_owned()), rest[..end].trim().to_owned()));
            rest = after(after(rest, '"'), '"');
        }
    }
}

/// The text after a character.
fn after(text: &str, end: char) -> &str {
    text.split_once(end).unwrap_or_else(|| panic!("{end} in {text}")).1
}

/// All values of a key, at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    value => all(value, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    all(value, key, &mut found);
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

#[tokio::test]
async fn alerts_and_dashboard_use_existing_metrics() {
    let mut known = Known::scraped().await;
    let alerts: Value =
        serde_norway::from_str(&read("deploy/prometheus/alerts.yml")).expect("YAML");
    known.0.extend(texts(&alerts, "record").into_iter().map(|value| {
        let labels = ["code", "digest"].map(str::to_owned);
        (value.to_owned(), labels.into())
    }));
    let rules = texts(&alerts, "expr");
    assert!(20 < rules.len());
    for rule in rules {
        known.check(rule);
    }
    let advice = [texts(&alerts, "summary"), texts(&alerts, "action")].concat();
    assert_eq!(advice.len(), 2 * texts(&alerts, "alert").len(), "each alert says what to do");
    for text in advice {
        known.check_text(text);
    }

    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/siamese.json")).expect("JSON");
    let panels = texts(&dashboard, "expr");
    assert!(40 < panels.len());
    for panel in panels {
        known.check(panel);
    }
    for text in texts(&dashboard, "legendFormat") {
        known.check_text(text);
    }
    for variable in texts(&dashboard, "definition") {
        let inner = variable.strip_prefix("label_values(").and_then(|text| text.strip_suffix(')'));
        let (metric, label) =
            inner.and_then(|value| value.rsplit_once(", ")).expect("label_values");
        known.check(metric);
        assert!(known.has_label(None, label), "{variable}");
    }
}

#[test]
fn a_missing_metric_or_label_is_found() {
    let known = Known::read("# HELP a_total A.\na_total{kind=\"x}\",other=\"{\"} 1\nb 2\n");
    for good in [
        "sum by (kind, instance) (rate(a_total{kind=~\"x|y\", job=\"z\"}[$__rate_interval])) > 0.5",
        "b / on (job) group_left () a_total and b offset 5m > bool 1e3",
        "absent(up{job=\"{\"})",
    ] {
        known.check(good);
    }
    for (bad, what) in [
        ("rate(c_total[5m])", "c_total"),
        ("a_total{nothing=\"x\"}", "nothing"),
        ("b{kind=\"x\"}", "kind"),
        ("sum by (nothing) (a_total)", "nothing"),
        ("a_total / on (nothing) b", "nothing"),
        ("b + a", "a"),
    ] {
        let missing = known.missing(bad);
        assert!(matches!(&missing[..], [one] if one.starts_with(what)), "{missing:?} in {bad}");
    }
}
