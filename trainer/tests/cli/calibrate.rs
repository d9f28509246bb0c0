use std::fs;
use std::path::Path;

use siamese_core::model::{Card, OnnxModel, Options, rewrite};

use crate::ground::{BRIGHTNESS, Ground};

/// Same pairs with distance 2; different pairs with 8, 10, 10 and 12.
fn separated() -> Ground {
    Ground::of(&[("a", &[100, 102]), ("b", &[110, 112])])
}

fn card(model: &Path) -> Card {
    OnnxModel::load(model, &Options::default()).expect("a model").card().clone()
}

#[test]
fn a_calibrated_model_has_a_threshold_and_its_errors() {
    let ground = separated();
    let output =
        ground.run("calibrate", &["--out", "out.onnx", "--split", "unseen in training"]).success();
    assert!(output.contains("threshold 5 with FMR 0.00 %, FNMR 0.00 %; EER 0.00 %"), "{output}");

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
    let ground = separated();
    let both = ["--purpose", "Tells greys apart.", "--limits", "Not for colours."];
    ground.run("calibrate", &[&["--out", "out.onnx"][..], &both].concat()).success();
    let model = ground.at("out.onnx");
    ground.run_on(&model, "calibrate", &["--out", "out.onnx", "--limits", "Greys only."]).success();
    let Card { purpose, limits, .. } = card(&model);
    assert_eq!(purpose.expect("a purpose").as_str(), "Tells greys apart.");
    assert_eq!(limits.expect("limits").as_str(), "Greys only.");
}

#[test]
fn a_calibrated_model_is_named_after_its_file_or_as_requested() {
    let ground = separated();
    let named = |arguments: &[&str], expected: &str| {
        ground.run("calibrate", &[&["--out", "out.onnx"], arguments].concat()).success();
        assert_eq!(card(&ground.at("out.onnx")).name, expected);
    };
    // The model is named after its file, brightness.onnx.
    named(&[], "out");
    named(&["--name", "Greys"], "Greys");
    // A name of its own stays.
    let model = ground.at("out.onnx");
    ground.run_on(&model, "calibrate", &["--out", "other.onnx"]).success();
    assert_eq!(card(&ground.at("other.onnx")).name, "Greys");
}

#[test]
fn calibration_changes_only_the_card() {
    let ground = separated();
    ground.run("calibrate", &["--out", "out.onnx"]).success();
    let bare = |path: &Path| {
        let onnx = fs::read(path).expect("a file");
        rewrite(&onnx, &[]).expect("ONNX")
    };
    assert_eq!(bare(&ground.at("out.onnx")), bare(BRIGHTNESS.as_ref()));
    assert_eq!(card(&ground.at("out.onnx")).golden, card(BRIGHTNESS.as_ref()).golden);
}

#[test]
fn a_model_can_be_calibrated_in_place_repeatedly() {
    let ground = separated();
    let model = ground.at("model.onnx");
    fs::copy(BRIGHTNESS, &model).expect("a copy");
    ground.run_on(&model, "calibrate", &["--out", "model.onnx"]).success();
    let once = fs::read(&model).expect("a model");
    ground.run_on(&model, "calibrate", &["--out", "model.onnx"]).success();
    assert_eq!(fs::read(&model).expect("a model"), once);
}

#[test]
fn an_evaluation_uses_the_calibrated_threshold() {
    let ground = separated();
    ground.run("calibrate", &["--out", "out.onnx"]).success();
    let output = ground.run_on(&ground.at("out.onnx"), "evaluate", &[]).success();
    assert!(output.contains("At the threshold 5.0000 (from the model)"), "{output}");
}

#[test]
fn the_threshold_can_be_chosen_by_its_fmr() {
    // The distances of the 144 different pairs are 89 to 111. An FMR of 5 % allows 7 of them: 1 + 2 + 3; the next 4 would
    // make 10.
    let [low, high]: [Vec<u8>; 2] = [(0..12).collect(), (100..112).collect()];
    let ground = Ground::of(&[("a", &low), ("b", &high)]);
    let model = ground.model_with(|card| card.margin = Some(300.0));

    ground.run_on(&model, "calibrate", &["--out", "out.onnx", "--fmr", "0.05"]).success();
    let threshold = card(&ground.at("out.onnx")).threshold.expect("a threshold").get();
    assert!((91.0..92.0).contains(&threshold), "{threshold}");

    let error = ground.run_on(&model, "calibrate", &["--out", "no.onnx", "--fmr", "0.01"]);
    let error = error.error();
    assert!(error.contains("144 different pairs can't support an FMR of 0.01"), "{error}");
    assert!(!ground.at("no.onnx").exists());
}

#[test]
fn a_threshold_above_the_margin_is_rejected() {
    // The threshold with equal errors is between 50 and 150, and the margin is 20.
    let ground = Ground::of(&[("a", &[0, 50]), ("b", &[200, 250])]);
    let error = ground.run("calibrate", &["--out", "out.onnx"]).error();
    assert!(error.contains("not below the model's margin of 20"), "{error}");
    assert!(!ground.at("out.onnx").exists());
}

#[test]
fn a_model_no_better_than_chance_is_rejected() {
    let ground = Ground::of(&[("a", &[9, 9]), ("b", &[9, 9])]);
    let error = ground.run("calibrate", &["--out", "out.onnx"]).error();
    assert!(error.contains("no better than chance"), "{error}");
}

#[test]
fn a_conflicting_sidecar_is_reported() {
    let ground = separated();
    fs::write(ground.at("out.toml"), "input = \"4\"\n").expect("a file");
    let error = ground.run("calibrate", &["--out", "out.onnx"]).error();
    assert!(error.contains("out.toml"), "{error}");
}

#[test]
fn a_missing_output_folder_is_reported() {
    let error = separated().run("calibrate", &["--out", "nowhere/out.onnx"]).error();
    assert!(error.contains("nowhere/out.onnx cannot be written"), "{error}");
}

#[test]
fn a_calibration_states_its_errors_on_unseen_identities() {
    let ground = separated();
    let output = ground.run("calibrate", &["--out", "two.onnx"]).success();
    assert!(
        output.contains("cannot be estimated: this needs at least four identities"),
        "{output}"
    );
    assert_eq!(card(&ground.at("two.onnx")).calibration.expect("one").unseen(), []);

    // The distance of neighbouring identities is 10, except for the last two.
    let ground = Ground::of(&[
        ("a", &[100, 101]),
        ("b", &[110, 111]),
        ("c", &[120, 121]),
        ("d", &[130, 131]),
        ("e", &[133, 134]),
    ]);
    let output = ground.run("calibrate", &["--out", "out.onnx"]).success();
    assert!(output.contains("every two of 5 identities held out in turn"), "{output}");
    let calibration = card(&ground.at("out.onnx")).calibration.expect("a calibration");
    let unseen = calibration.unseen();
    assert_eq!(unseen.len(), 4);
    assert_eq!(unseen[0].fmr_asked, None);
    // Without d and e, the threshold is half-way between 1 and 9, so pairs of d and e are called same.
    assert!((unseen[0].fmr - 0.1).abs() < 1e-9, "{unseen:?}");
    assert!(unseen[0].fmr_95.is_some_and(|[low, high]| low <= 0.1 && 0.1 <= high), "{unseen:?}");
}

#[test]
fn a_foreign_model_with_a_sidecar_is_calibrated_into_another_file() {
    let ground = separated();
    let onnx = fs::read(BRIGHTNESS).expect("a file");
    let model = ground.at("foreign.onnx");
    fs::write(&model, rewrite(&onnx, &[]).expect("ONNX")).expect("a file");
    let sidecar = "name = \"foreign\"\ninput = \"4\"\ncolour = \"grey\"\nfit = \"stretch\"\n\
                   embedding = \"as-is\"\nscale = 1.0\nmean = [0.0]\nstd = [1.0]\n";
    fs::write(ground.at("foreign.toml"), sidecar).expect("a file");

    let error = ground.run_on(&model, "calibrate", &["--out", "foreign.onnx"]).error();
    assert!(error.contains("foreign.toml"), "{error}");

    ground.run_on(&model, "calibrate", &["--out", "calibrated.onnx"]).success();
    let card = card(&ground.at("calibrated.onnx"));
    assert_eq!(card.name, "calibrated");
    assert!((card.threshold.expect("a threshold").get() - 5.0).abs() < 1e-12);
}

#[test]
fn a_calibrated_model_knows_what_its_images_look_like() {
    let shades: Vec<Vec<u8>> =
        (0..5).map(|at| (0..10).map(|image| 24 * at + image % 3).collect()).collect();
    let identities: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().zip(&shades).collect();
    let identities: Vec<_> = identities.iter().map(|(name, of)| (*name, of.as_slice())).collect();
    let ground = Ground::of(&identities);
    let output = ground.run("calibrate", &["--out", "out.onnx"]).success();
    assert!(output.contains("knows what these 50 images look like"), "{output}");
    let described = card(&ground.at("out.onnx")).familiarity.expect("a description");
    assert_eq!((described.images(), described.identities()), (50, 5));

    let report = ground.at("report").display().to_string();
    let output =
        ground.run_on(&ground.at("out.onnx"), "evaluate", &["--report", &report]).success();
    assert!(output.contains("Familiarity: 0.0 % of these images are unlike"), "{output}");
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert!(page.contains("<h2>Familiarity</h2>"));
    let record = fs::read_to_string(ground.at("report/report.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(record["familiarity"]["unfamiliar"], 0.0);
}

#[test]
fn few_images_are_not_described_and_the_reason_is_stated() {
    let ground = separated();
    let output = ground.run("calibrate", &["--out", "out.onnx"]).success();
    assert!(output.contains("at least 50 images are needed, not 4"), "{output}");
    assert!(card(&ground.at("out.onnx")).familiarity.is_none());
}
