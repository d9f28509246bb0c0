//! Comparison of two models.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use siamese_core::score::Threshold;

use crate::ground::{BRIGHTNESS, Ground, Outcome};

/// Same pairs with distances 1 and 4; different pairs with 2, 3, 6 and 7.
fn known() -> Ground {
    Ground::of(&[("bright", &[103, 107]), ("dark", &[100, 101])])
}

/// Compares the brightness model, whose threshold is 10, with another.
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
fn two_models_are_compared_pair_by_pair() {
    let ground = known();
    let strict = ground.model_with(|card| {
        card.name = "strict".to_owned();
        card.threshold = Threshold::try_from(2.5).ok();
    });
    let output = report(&ground, &strict, &["--resamples", "20", "--report", "two"]).success();
    let row = |name: &str| {
        let line = output.lines().find(|line| line.trim_start().starts_with(name)).expect("a row");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("EER"), "EER 50.00 % 50.00 % +0.00 % +0.00 to +0.00 % 1.000");
    assert_eq!(row("Recall@1"), "Recall@1 75.00 % 75.00 % +0.00 % +0.00 to +0.00 % 1.000");
    // At 10 all pairs are called same; at 2.5 those with distances 1 and 2.
    assert!(row("FMR at its").contains("100.00 % 25.00 % -75.00 %"), "{output}");
    assert!(row("FNMR at its").contains("0.00 % 50.00 % +50.00 %"), "{output}");
    assert!(
        output.contains("Different verdicts, each model at its threshold: 4 of 6 pairs"),
        "{output}"
    );
    assert!(output.contains("of 2 same pairs, only A is right on 1, only B on 0"), "{output}");
    assert!(output.contains("of 4 different pairs, only A is right on 0, only B on 3"), "{output}");
    let clearest =
        "only A is right: bright/0.png and bright/1.png, same: A 4.000 ≤ 10.000, B 4.000 > 2.500";
    assert!(output.contains(clearest), "{output}");

    let page = fs::read_to_string(ground.at("two/index.html")).expect("a page");
    assert_eq!(page.matches("<svg").count(), 4, "histograms, DET and ROC");
    assert_eq!(page.matches("<figure").count(), 4, "pairs with different verdicts");
    assert!(!page.contains("http") && page.contains("Only B is right"), "{page}");
}

#[test]
fn the_json_output_equals_the_report_file() {
    let ground = known();
    let arguments = ["--resamples", "20", "--report", "two", "--json"];
    let output = report(&ground, BRIGHTNESS.as_ref(), &arguments).success();
    let record = fs::read_to_string(ground.at("two/report.json")).expect("a record");
    assert_eq!(output, record);
    let record: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(record["a"], record["b"]);
    assert_eq!(record["a"]["eer"]["value"], 0.5);
    assert_eq!(record["differences"][0]["figure"], "EER");
    assert_eq!(record["differences"][0]["p_value"], 1.0);
    assert_eq!(record["judged_differently"]["pairs"], 0);
}

#[test]
fn models_and_images_that_cannot_be_compared_are_rejected() {
    let ground = known();
    let error = report(&ground, "nobody.onnx".as_ref(), &[]).error();
    assert!(error.contains("nobody.onnx"), "{error}");
    let error = report(&ground, BRIGHTNESS.as_ref(), &["--identities", "nobody"]).error();
    assert!(error.contains("nobody"), "{error}");
    let error = report(&ground, BRIGHTNESS.as_ref(), &["--identities", "dark"]).error();
    assert!(error.contains("only one identity, dark"), "{error}");
}
