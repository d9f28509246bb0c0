//! Checks documents against the program: settings with defaults, problem codes and metrics in the operator's manual,
//! and the cards of the shipped models.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::app::{load, root};
use crate::observability::Known;

fn page() -> String {
    fs::read_to_string(root().join("docs/operating.md")).expect("the operator's page")
}

/// The rows of the page's tables, as cells.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|row| row.split('|').map(str::trim).collect())
}

fn code(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// All settings with their defaults, from the file of defaults. Settings in comments have no default.
fn settings() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("config/default.toml")).expect("the defaults");
    let mut section = "";
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        let (line, unset) = line.strip_prefix("# ").map_or((line, false), |line| (line, true));
        if line.starts_with('[') && line.ends_with(']') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else { continue };
        if key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            let value = if unset { "–".to_owned() } else { format!("`{value}`") };
            settings.insert(format!("{section}.{key}"), value);
        }
    }
    settings
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let page = page();
    let settings = settings();
    assert!(settings.len() > 40, "{settings:?}");
    let described: BTreeMap<String, String> = rows(&page)
        .filter_map(|row| match row[..] {
            [key, default, what] if !what.is_empty() => {
                let key = code(key)?;
                let is_setting = key.split_once('.').is_some_and(|(section, _)| {
                    settings.keys().any(|text| text.starts_with(&format!("{section}.")))
                });
                is_setting.then(|| (key.to_owned(), default.to_owned()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(described, settings);
}

#[test]
fn every_problem_code_is_documented() {
    let source = fs::read_to_string(root().join("src/http/error.rs")).expect("the table of codes");
    let (_, table) = source.split_once("fn definition(self)").expect("codes");
    let (table, _) = table.split_once("\n    }\n").expect("an end");
    let codes: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 20, "{codes:?}");
    let page = page();
    let (_, refusals) = page.split_once("## Error codes").expect("refusals");
    let described: Vec<&str> = rows(refusals)
        .flat_map(|row| row[0].split(", ").filter_map(code).collect::<Vec<_>>())
        .collect();
    for code in codes {
        assert!(described.contains(&code), "{code} is not described");
    }
}

#[test]
fn the_documented_cards_match_the_shipped_models() {
    let cards = fs::read_to_string(root().join("models/README.md")).expect("the cards");
    for name in ["faces.onnx", "orl.onnx", "things.onnx", "characters.onnx"] {
        let (_, card) = cards.split_once(&format!("\n# `{name}`\n")).expect("a card");
        let card = card.split("\n# ").next().expect("a card");
        let model = load(&root().join("models").join(name)).description().clone();
        let threshold = f64::from(model.card.threshold.expect("a threshold"));
        let calibration = model.card.calibration.as_ref().expect("a calibration");
        assert!(card.contains(&model.digest), "{name}: {}", model.digest);
        let stated = card.split_once("| threshold | ").expect("a row").1;
        let stated: f64 = stated.split(',').next().expect("a figure").parse().expect("a number");
        assert!((stated - threshold).abs() < 5e-5, "{name}: {stated} is not {threshold}");
        let eer = format!("{:.2} %", 100.0 * calibration.eer());
        assert!(card.contains(&eer), "{name}: EER {eer}");
    }
}

#[test]
fn the_documented_card_of_changes_matches_the_shipped_model() {
    let cards = fs::read_to_string(root().join("models/README.md")).expect("the cards");
    let (_, card) = cards.split_once("\n# `changes.onnx`\n").expect("a card");
    let card = card.split("\n# ").next().expect("a card");
    let model = load(&root().join("models/changes.onnx")).description().clone();
    let changes = model.card.changes.as_ref().expect("a calibration for changes");
    assert!(card.contains(&model.digest), "{}", model.digest);
    let stated = card.split_once("| threshold | ").expect("a row").1;
    let stated: f64 = stated.split(',').next().expect("a figure").parse().expect("a number");
    assert!((stated - changes.threshold.get()).abs() < 5e-5, "{stated}");
    assert_eq!(model.map, Some([28, 28]));
}

/// All metrics with their labels. The series of a histogram count as one metric.
async fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, labels) in Known::scraped().await.0 {
        let parts = ["_bucket", "_count", "_sum"];
        let name =
            parts.iter().find_map(|text| name.strip_suffix(text)).unwrap_or(&name).to_owned();
        metrics.entry(name).or_default().extend(labels.into_iter().filter(|label| label != "le"));
    }
    metrics.remove("up");
    metrics
}

#[tokio::test]
async fn every_metric_is_documented_with_its_labels() {
    let page = page();
    let (_, rest) = page.split_once("## Metrics").expect("metrics");
    let (table, _) = rest.split_once("\n## ").expect("an end");
    let codes = |cell: &str| -> Vec<String> {
        cell.split(", ").filter_map(code).map(str::to_owned).collect()
    };
    let described: BTreeMap<String, BTreeSet<String>> = rows(table)
        .flat_map(|row| {
            let labels: BTreeSet<String> = codes(row[1]).into_iter().collect();
            codes(row[0]).into_iter().map(move |name| (name, labels.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(described, metrics().await);
}
