//! The shipped model, on people that were not used for its training.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use siamese_core::model::{Card, OnnxModel, Options, rewrite};
use siamese_trainer::evaluate::TrainingOverlap;

use crate::evaluate::report;
use crate::ground::Ground;

const ORL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx");
const FACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/faces.onnx");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples");

/// Two photographs each of four people.
fn faces() -> Ground {
    let ground = Ground::new();
    for person in ["s1", "s5", "s9", "s13"] {
        let folder = ground.at("data").join(person);
        fs::create_dir_all(&folder).expect("a folder");
        for image in ["1.jpg", "2.jpg"] {
            let photograph = Path::new(FIXTURES).join(format!("{person}_{image}"));
            fs::copy(photograph, folder.join(image)).expect("a photograph");
        }
    }
    ground
}

fn card() -> Card {
    OnnxModel::load(ORL.as_ref(), &Options::default()).expect("the model").card().clone()
}

#[test]
fn the_model_distinguishes_unseen_people() {
    let ground = faces();
    let output = ground.run_on(ORL.as_ref(), "evaluate", &["--report", "report"]).success();
    assert!(output.contains("4 identities, 8 images, 4 same and 24 different pairs"), "{output}");
    assert!(output.contains("(from the model)"), "{output}");
    let report = report(&ground);
    let auc = report["auc"]["value"].as_f64().expect("a figure");
    assert!(0.9 < auc, "{output}");
}

#[test]
fn the_calibration_is_from_ten_people_unseen_in_training() {
    let card = card();
    let calibration = card.calibration.expect("a calibration");
    assert_eq!(calibration.identities(), 10);
    assert_eq!((calibration.same_pairs(), calibration.different_pairs()), (450, 4500));
    assert!(calibration.split().contains("unseen in training"), "{}", calibration.split());
    assert!(calibration.eer() <= 0.033, "{}", calibration.eer());
    let people: Vec<String> = (1..=40).step_by(4).map(|number| format!("s{number}")).collect();
    let acquaintance = TrainingOverlap::of(card.provenance.as_ref(), calibration.data(), &people);
    assert_eq!(acquaintance, TrainingOverlap::Unseen);
}

#[test]
fn no_shipped_file_names_its_held_out_identities() {
    let folder = Path::new(ORL).parent().expect("a folder");
    for name in ["orl.onnx", "things.onnx", "characters.onnx"] {
        let file = fs::read(folder.join(name)).expect("a model");
        let text = String::from_utf8_lossy(&file);
        let held_out = text.split("\"held_out\":").nth(1).expect("a provenance");
        assert!(!held_out.starts_with("[\""), "{name}: {held_out:.80}");
    }
}

#[test]
fn a_network_of_faces_gains_alignment_by_one_option() {
    let ground = faces();
    let network = rewrite(&fs::read(FACES).expect("a file"), &[]).expect("a network");
    fs::write(ground.at("bare.onnx"), network).expect("a file");
    // The values of the shipped model: bytes of 0 to 1, minus dlib's means.
    let values = ["--mean", "0.4815,0.4588,0.409", "--std", "1.0039", "--embedding", "as-is"];
    let align = ["--align", FACES, "--try-on", "0", "--out", "mine.onnx"];
    let arguments = [&values[..], &align].concat();
    let output = ground.run_on(&ground.at("bare.onnx"), "adopt", &arguments).success();
    assert!(output.contains("EER 0.00 %"), "{output}");
    let load = |path: &Path| OnnxModel::load(path, &Options::default()).expect("a model");
    let (made, shipped) = (load(&ground.at("mine.onnx")), load(FACES.as_ref()));
    assert_eq!(made.card().align, shipped.card().align);

    let places = "38.3,51.7 73.5,51.5 56,71.7 56.1,92.3";
    let arguments = [&arguments[..], &["--points", places]].concat();
    ground.run_on(&ground.at("bare.onnx"), "adopt", &arguments).success();
    let align = load(&ground.at("mine.onnx")).card().align.clone().expect("an alignment");
    assert_eq!(align.points.to_string(), places);

    let arguments = [&values[..], &["--align", ORL, "--out", "mine.onnx"]].concat();
    let refused = ground.run_on(&ground.at("bare.onnx"), "adopt", &arguments).error();
    assert!(refused.contains("does not align faces"), "{refused}");
}

#[test]
fn a_model_is_trained_on_aligned_faces() {
    let ground = faces();
    let train = |more: &[&str]| {
        let arguments = ["train", "--data", "data", "--out", "mine.onnx"];
        ground.program(arguments.iter().chain(more).map(OsStr::new))
    };
    train(&["--network", "wavelet", "--align", FACES]).success();
    let model = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    let align = model.card().align.as_ref().expect("an alignment");
    // The places of the shipped model, in an input of 72 rows and 60 columns.
    assert!(align.points.to_string().starts_with("19.1"), "{}", align.points);
    let output = ground.run_on(&ground.at("mine.onnx"), "evaluate", &[]).success();
    assert!(output.contains("4 identities, 8 images"), "{output}");
    let resumed = train(&["--resume"]).error();
    assert!(resumed.contains("give the same --align"), "{resumed}");
}

#[test]
fn the_threshold_has_equal_errors() {
    let card = card();
    let threshold = card.threshold.expect("a threshold");
    let calibration = card.calibration.expect("a calibration");
    assert_eq!(calibration.at(threshold), calibration.eer_point());
    assert!(card.golden.is_some_and(|golden| !golden.pairs.is_empty()));
}

#[test]
fn the_model_can_be_calibrated_on_other_images() {
    let ground = faces();
    ground.run_on(ORL.as_ref(), "calibrate", &["--out", "mine.onnx", "--split", "mine"]).success();
    let mine = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    let calibration = mine.card().calibration.as_ref().expect("a calibration");
    assert_eq!((calibration.data(), calibration.split()), ("data", "mine"));
    assert_eq!(mine.card().golden, card().golden);
    let reduction = mine.card().reduction.expect("a measurement");
    assert!(reduction.mean_of_threshold < 0.005 && 0 < reduction.pairs, "{reduction}");
}
