use std::fs;
use std::path::Path;

use siamese_core::model::{Card, OnnxModel, Options, rewrite};

use crate::ground::{BRIGHTNESS, Ground};

/// Same pairs at 2 apiece; different ones at 8, 10, 10 and 12.
fn told_apart() -> Ground {
    Ground::of(&[("a", &[100, 102]), ("b", &[110, 112])])
}

fn card(model: &Path) -> Card {
    OnnxModel::load(model, &Options::default()).expect("a model").card().clone()
}

#[test]
fn a_calibrated_model_knows_its_threshold_and_its_errors() {
    let ground = told_apart();
    let said =
        ground.run("calibrate", &["--out", "out.onnx", "--split", "unseen in training"]).well();
    assert!(said.contains("threshold 5 with FMR 0.00 %, FNMR 0.00 %; EER 0.00 %"), "{said}");

    let card = card(&ground.at("out.onnx"));
    let threshold = card.threshold.expect("a threshold");
    assert!((threshold.get() - 5.0).abs() < 1e-12);
    let calibration = card.calibration.expect("a calibration");
    assert_eq!((calibration.data(), calibration.split()), ("data", "unseen in training"));
    assert_eq!((calibration.same_pairs(), calibration.different_pairs()), (2, 4));
    assert!((calibration.at(threshold).fmr).abs() < 1e-12);
    assert_eq!(card.margin, Some(20.0));
}

#[test]
fn a_calibrated_model_says_what_it_is_for() {
    let ground = told_apart();
    let both = ["--purpose", "Tells greys apart.", "--limits", "Not for colours."];
    ground.run("calibrate", &[&["--out", "out.onnx"][..], &both].concat()).well();
    let model = ground.at("out.onnx");
    ground.run_on(&model, "calibrate", &["--out", "out.onnx", "--limits", "Greys only."]).well();
    let Card { purpose, limits, .. } = card(&model);
    assert_eq!(purpose.expect("a purpose").as_str(), "Tells greys apart.");
    assert_eq!(limits.expect("limits").as_str(), "Greys only.");
}

#[test]
fn nothing_else_in_the_file_changes() {
    let ground = told_apart();
    ground.run("calibrate", &["--out", "out.onnx"]).well();
    let bare = |path: &Path| {
        let onnx = fs::read(path).expect("a file");
        rewrite(&onnx, &[]).expect("ONNX")
    };
    assert_eq!(bare(&ground.at("out.onnx")), bare(BRIGHTNESS.as_ref()));
    assert_eq!(card(&ground.at("out.onnx")).golden, card(BRIGHTNESS.as_ref()).golden);
}

#[test]
fn a_model_is_calibrated_in_place_again_and_again() {
    let ground = told_apart();
    let model = ground.at("model.onnx");
    fs::copy(BRIGHTNESS, &model).expect("a copy");
    ground.run_on(&model, "calibrate", &["--out", "model.onnx"]).well();
    let once = fs::read(&model).expect("a model");
    ground.run_on(&model, "calibrate", &["--out", "model.onnx"]).well();
    assert_eq!(fs::read(&model).expect("a model"), once);
}

#[test]
fn an_evaluation_looks_at_the_calibrated_threshold() {
    let ground = told_apart();
    ground.run("calibrate", &["--out", "out.onnx"]).well();
    let said = ground.run_on(&ground.at("out.onnx"), "evaluate", &[]).well();
    assert!(said.contains("At the threshold 5.0000 (the model's)"), "{said}");
}

#[test]
fn the_threshold_can_be_chosen_by_its_fmr() {
    // 144 different pairs, from 89 to 111 apart by 1; an FMR of 5 % admits 7 of them: 1 + 2 + 3,
    // as the next four would make ten.
    let [low, high]: [Vec<u8>; 2] = [(0..12).collect(), (100..112).collect()];
    let ground = Ground::of(&[("a", &low), ("b", &high)]);
    let model = ground.model_with(|card| card.margin = Some(300.0));

    ground.run_on(&model, "calibrate", &["--out", "out.onnx", "--fmr", "0.05"]).well();
    let threshold = card(&ground.at("out.onnx")).threshold.expect("a threshold").get();
    assert!((91.0..92.0).contains(&threshold), "{threshold}");

    let refusal = ground.run_on(&model, "calibrate", &["--out", "no.onnx", "--fmr", "0.01"]);
    let refusal = refusal.refusal();
    assert!(refusal.contains("144 different pairs can't support an FMR"), "{refusal}");
    assert!(!ground.at("no.onnx").exists());
}

#[test]
fn a_threshold_beyond_the_margin_is_refused() {
    // Equal errors lie between 50 and 150, and the margin is 20.
    let ground = Ground::of(&[("a", &[0, 50]), ("b", &[200, 250])]);
    let refusal = ground.run("calibrate", &["--out", "out.onnx"]).refusal();
    assert!(refusal.contains("not below the model's margin of 20"), "{refusal}");
    assert!(!ground.at("out.onnx").exists());
}

#[test]
fn a_model_that_tells_nothing_apart_is_refused() {
    let ground = Ground::of(&[("a", &[9, 9]), ("b", &[9, 9])]);
    let refusal = ground.run("calibrate", &["--out", "out.onnx"]).refusal();
    assert!(refusal.contains("no better than chance"), "{refusal}");
}

#[test]
fn a_sidecar_in_the_way_is_named() {
    let ground = told_apart();
    fs::write(ground.at("out.toml"), "input = \"4\"\n").expect("a file");
    let refusal = ground.run("calibrate", &["--out", "out.onnx"]).refusal();
    assert!(refusal.contains("out.toml"), "{refusal}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let refusal = told_apart().run("calibrate", &["--out", "nowhere/out.onnx"]).refusal();
    assert!(refusal.contains("nowhere/out.onnx can't be written"), "{refusal}");
}

#[test]
fn a_calibration_tells_what_became_of_people_it_did_not_know() {
    let ground = told_apart();
    let said = ground.run("calibrate", &["--out", "two.onnx"]).well();
    assert!(said.contains("can't be told: it takes four identities or more"), "{said}");
    assert_eq!(card(&ground.at("two.onnx")).calibration.expect("one").unseen(), []);

    // Each is 10 from the next, but for the last two.
    let ground = Ground::of(&[
        ("a", &[100, 101]),
        ("b", &[110, 111]),
        ("c", &[120, 121]),
        ("d", &[130, 131]),
        ("e", &[133, 134]),
    ]);
    let said = ground.run("calibrate", &["--out", "out.onnx"]).well();
    assert!(said.contains("every two of 5 identities left out in turn"), "{said}");
    let calibration = card(&ground.at("out.onnx")).calibration.expect("a calibration");
    let unseen = calibration.unseen();
    assert_eq!(unseen.len(), 4);
    assert_eq!(unseen[0].fmr_asked, None);
    // Chosen without d and e the threshold lies half-way from 1 to 9, which calls the two the same.
    assert!((unseen[0].fmr - 0.1).abs() < 1e-9, "{unseen:?}");
    assert!(unseen[0].fmr_95.is_some_and(|[low, high]| low <= 0.1 && 0.1 <= high), "{unseen:?}");
}

#[test]
fn a_foreign_model_with_a_sidecar_is_calibrated_into_another_file() {
    let ground = told_apart();
    let onnx = fs::read(BRIGHTNESS).expect("a file");
    let model = ground.at("foreign.onnx");
    fs::write(&model, rewrite(&onnx, &[]).expect("ONNX")).expect("a file");
    let sidecar = "name = \"foreign\"\ninput = \"4\"\ncolour = \"grey\"\nfit = \"stretch\"\n\
                   embedding = \"as-is\"\nscale = 1.0\nmean = [0.0]\nstd = [1.0]\n";
    fs::write(ground.at("foreign.toml"), sidecar).expect("a file");

    let refusal = ground.run_on(&model, "calibrate", &["--out", "foreign.onnx"]).refusal();
    assert!(refusal.contains("foreign.toml"), "{refusal}");

    ground.run_on(&model, "calibrate", &["--out", "calibrated.onnx"]).well();
    let card = card(&ground.at("calibrated.onnx"));
    assert_eq!(card.name, "foreign");
    assert!((card.threshold.expect("a threshold").get() - 5.0).abs() < 1e-12);
}
