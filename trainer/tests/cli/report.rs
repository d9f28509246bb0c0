//! Two towers side by side.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use siamese_core::score::Threshold;

use crate::ground::{BRIGHTNESS, Ground, Outcome};

/// Same pairs at 1 and 4; different ones at 2, 3, 6 and 7.
fn known() -> Ground {
    Ground::of(&[("bright", &[103, 107]), ("dark", &[100, 101])])
}

/// The tower of foreseen distances, whose threshold is 10, beside another.
fn report(ground: &Ground, other: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
    command
        .current_dir(ground.at(""))
        .args(["report", BRIGHTNESS])
        .arg(other)
        .args(["--data", "data"])
        .args(arguments);
    Outcome::of(&mut command)
}

#[test]
fn two_towers_are_held_against_each_other_pair_by_pair() {
    let ground = known();
    let strict = ground.tower_with(|card| {
        card.name = "strict".to_owned();
        card.threshold = Threshold::try_from(2.5).ok();
    });
    let said = report(&ground, &strict, &["--resamples", "20", "--report", "two"]).well();
    let row = |name: &str| {
        let line = said.lines().find(|it| it.trim_start().starts_with(name)).expect("a row");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("EER"), "EER 50.00 % 50.00 % +0.00 % +0.00 to +0.00 % 1.000");
    // At 10 everything is called same; at 2.5 the pairs at 1 and at 2 are.
    assert!(row("FMR at its").contains("100.00 % 25.00 % -75.00 %"), "{said}");
    assert!(row("FNMR at its").contains("0.00 % 50.00 % +50.00 %"), "{said}");
    assert!(said.contains("Judged differently at their thresholds: 4 of 6 pairs"), "{said}");
    assert!(said.contains("of 2 same pairs only A is right about 1, only B about 0"), "{said}");
    assert!(
        said.contains("of 4 different pairs only A is right about 0, only B about 3"),
        "{said}"
    );
    let striking =
        "only A is right: bright/0.png and bright/1.png, same: A 4.000 ≤ 10.000, B 4.000 > 2.500";
    assert!(said.contains(striking), "{said}");

    let page = fs::read_to_string(ground.at("two/index.html")).expect("a page");
    assert_eq!(page.matches("<svg").count(), 4, "histograms, DET and ROC");
    assert_eq!(page.matches("<figure").count(), 4, "pairs judged differently");
    assert!(!page.contains("http") && page.contains("Only B is right"), "{page}");
}

#[test]
fn a_machine_reads_the_same() {
    let ground = known();
    let arguments = ["--resamples", "20", "--report", "two", "--json"];
    let said = report(&ground, BRIGHTNESS.as_ref(), &arguments).well();
    let record = fs::read_to_string(ground.at("two/report.json")).expect("a record");
    assert_eq!(said, record);
    let record: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(record["a"], record["b"]);
    assert_eq!(record["a"]["eer"]["value"], 0.5);
    assert_eq!(record["differences"][0]["figure"], "EER");
    assert_eq!(record["differences"][0]["p_value"], 1.0);
    assert_eq!(record["judged_differently"]["pairs"], 0);
}

#[test]
fn what_can_not_be_compared_is_refused() {
    let ground = known();
    let refusal = report(&ground, "nobody.onnx".as_ref(), &[]).refusal();
    assert!(refusal.contains("nobody.onnx"), "{refusal}");
    let refusal = report(&ground, BRIGHTNESS.as_ref(), &["--identities", "nobody"]).refusal();
    assert!(refusal.contains("nobody"), "{refusal}");
    let refusal = report(&ground, BRIGHTNESS.as_ref(), &["--identities", "dark"]).refusal();
    assert!(refusal.contains("one identity only, dark"), "{refusal}");
}
