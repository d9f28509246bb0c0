//! Documents quote measured figures as `docs/numbers.toml` has them, and no page contradicts another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;
use toml::value::Datetime;

use crate::app::root;

/// Pages that may quote figures.
const PAGES: [&str; 5] = [
    "README.md",
    "docs/benchmarks.md",
    "docs/deploying.md",
    "docs/operating.md",
    "docs/scaling.md",
];

/// Units of speed. A number before one of them is a quote, whoever wrote it.
const SPEEDS: [&str; 3] = ["pairs/s", "pairs/core-s", "images/core-s"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    machines: BTreeMap<String, String>,
    figure: Vec<Figure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    name: String,
    /// As it is measured, with its trailing zeros.
    value: String,
    unit: String,
    what: String,
    machine: String,
    command: String,
    date: Datetime,
    #[serde(default)]
    quoted_in: Vec<String>,
    #[serde(default)]
    rows: Vec<Row>,
}

/// A row of a page's table that contains the figure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    page: String,
    /// How the row starts.
    row: String,
}

fn numbers() -> Vec<Figure> {
    let text = fs::read_to_string(root().join("docs/numbers.toml")).expect("the figures");
    let numbers: Numbers = toml::from_str(&text).expect("TOML");
    for figure in &numbers.figure {
        assert!(numbers.machines.contains_key(&figure.machine), "{}: no such machine", figure.name);
        assert!(figure.date.date.is_some(), "{}: no date", figure.name);
        assert!(!figure.what.is_empty() && !figure.command.is_empty(), "{}", figure.name);
    }
    let names: BTreeSet<_> = numbers.figure.iter().map(|figure| &figure.name).collect();
    assert_eq!(names.len(), numbers.figure.len(), "two figures have one name");
    numbers.figure
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|err| panic!("{page}: {err}"))
}

/// The words of a page. Line ends, commas of thousands and bold type make no difference.
fn words(page: &str) -> Vec<String> {
    words_of(&read(page))
}

fn words_of(text: &str) -> Vec<String> {
    let bare = |word: &str| word.replace([',', '*'], "");
    text.split_whitespace().map(bare).collect()
}

fn quotes(words: &[String], value: &str, unit: &str) -> bool {
    words.windows(2).any(|pair| {
        pair[0] == value && pair[1].trim_end_matches(|end: char| end.is_ascii_punctuation()) == unit
    })
}

#[test]
fn figures_stand_in_the_pages_that_quote_them() {
    for figure in numbers() {
        assert!(
            !figure.quoted_in.is_empty() || !figure.rows.is_empty(),
            "{}: no page has it",
            figure.name
        );
        for page in &figure.quoted_in {
            let found = quotes(&words(page), &figure.value, &figure.unit);
            assert!(found, "{page} has no `{} {}` ({})", figure.value, figure.unit, figure.name);
        }
        for Row { page, row } in &figure.rows {
            let text = read(page);
            let found = text
                .lines()
                .filter(|line| line.starts_with(row))
                .flat_map(|line| line.split('|').map(str::trim))
                .any(|cell| cell == figure.value);
            assert!(found, "{page}: no row `{row}` has {} ({})", figure.value, figure.name);
        }
    }
}

#[test]
fn no_page_quotes_a_speed_that_was_not_measured() {
    let figures = numbers();
    let mut quoted = 0;
    for page in PAGES {
        for pair in words(page).windows(2) {
            let unit = pair[1].trim_end_matches(|end: char| end.is_ascii_punctuation());
            let number = pair[0].trim_start_matches('(');
            if !SPEEDS.contains(&unit) || number.parse::<f64>().is_err() {
                continue;
            }
            let known = figures.iter().any(|figure| figure.value == number && figure.unit == unit);
            assert!(known, "{page}: `{number} {unit}` is not in docs/numbers.toml");
            quoted += 1;
        }
    }
    assert!(5 < quoted, "only {quoted} quotes were found");
}

#[test]
fn pages_state_one_figure_for_capacity() {
    let figures = numbers();
    let planning = figures.iter().find(|figure| figure.name == "planning").expect("a figure");
    let replicas = figures.iter().filter(|figure| {
        figure.name.starts_with("replicas-") && figure.name.ends_with("-pairs-core")
    });
    let number = |figure: &Figure| figure.value.parse::<u32>().expect("a whole number");
    let lowest = replicas.map(number).min().expect("rates of replicas");
    assert_eq!(number(planning), lowest / 100 * 100, "not the lowest, rounded down");
    for page in PAGES {
        let text = read(page);
        let prose = text.lines().filter(|line| !line.starts_with('|')).collect::<Vec<_>>();
        for pair in words_of(&prose.join("\n")).windows(2) {
            if pair[1].starts_with(&planning.unit) && pair[0].parse::<f64>().is_ok() {
                assert_eq!(pair[0], planning.value, "{page} states another capacity");
            }
        }
    }
    let faces = figures.iter().filter(|figure| figure.name.starts_with("face-"));
    for figure in faces {
        assert!(figure.quoted_in.is_empty(), "{} is quoted beside the capacity", figure.name);
    }
}
