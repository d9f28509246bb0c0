//! The operator's page says what is true: every setting with its default, every problem's code, every metric.

use std::collections::BTreeMap;
use std::fs;

use crate::app::root;

fn page() -> String {
    fs::read_to_string(root().join("docs/operating.md")).expect("the operator's page")
}

/// Rows of the page's tables, as their cells.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|row| row.split('|').map(str::trim).collect())
}

fn code(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// All settings with their defaults, as the file of defaults has them: those that are commented out have none.
fn settings() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("config/default.toml")).expect("the defaults");
    let mut section = "";
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name;
            continue;
        }
        let (line, unset) = line.strip_prefix("# ").map_or((line, false), |it| (it, true));
        let Some((key, value)) = line.split_once(" = ") else { continue };
        if key.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_') {
            let value = if unset { "–".to_owned() } else { format!("`{value}`") };
            settings.insert(format!("{section}.{key}"), value);
        }
    }
    settings
}

#[test]
fn every_setting_stands_there_with_its_default() {
    let page = page();
    let settings = settings();
    assert!(settings.len() > 40, "{settings:?}");
    let described: BTreeMap<String, String> = rows(&page)
        .filter_map(|row| match row[..] {
            [key, default, what] if !what.is_empty() => {
                let key = code(key)?;
                let is_setting = key.split_once('.').is_some_and(|(section, _)| {
                    settings.keys().any(|it| it.starts_with(&format!("{section}.")))
                });
                is_setting.then(|| (key.to_owned(), default.to_owned()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(described, settings);
}

#[test]
fn every_problem_stands_there() {
    let source = fs::read_to_string(root().join("src/http/error.rs")).expect("the table of codes");
    let (_, table) = source.split_once("fn code(&self)").expect("codes");
    let (table, _) = table.split_once("\n    }\n").expect("an end");
    let codes: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 20, "{codes:?}");
    let page = page();
    let (_, refusals) = page.split_once("## What a refusal means").expect("refusals");
    let described: Vec<&str> = rows(refusals)
        .flat_map(|row| row[0].split(", ").filter_map(code).collect::<Vec<_>>())
        .collect();
    for code in codes {
        assert!(described.contains(&code), "{code} is not described");
    }
}
