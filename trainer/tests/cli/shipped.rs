//! The tower that is shipped, on people it has not seen.

use std::fs;
use std::path::Path;

use siamese_core::model::{Card, OnnxTower, Options};
use siamese_trainer::evaluate::Acquaintance;

use crate::evaluate::report;
use crate::ground::Ground;

const FACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/faces.onnx");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples");

/// Two photographs each of four people.
fn faces() -> Ground {
    let ground = Ground::new();
    for person in ["s1", "s5", "s9", "s13"] {
        let folder = ground.at("data").join(person);
        fs::create_dir_all(&folder).expect("a folder");
        for picture in ["1.jpg", "2.jpg"] {
            let photograph = Path::new(FIXTURES).join(format!("{person}_{picture}"));
            fs::copy(photograph, folder.join(picture)).expect("a photograph");
        }
    }
    ground
}

fn card() -> Card {
    OnnxTower::load(FACES.as_ref(), &Options::default()).expect("the tower").card().clone()
}

#[test]
fn it_tells_people_apart_whom_it_has_not_seen() {
    let ground = faces();
    let said = ground.run_on(FACES.as_ref(), "evaluate", &["--report", "report"]).well();
    assert!(said.contains("4 identities, 8 pictures, 4 same and 24 different pairs"), "{said}");
    assert!(said.contains("(the tower's)"), "{said}");
    let report = report(&ground);
    let auc = report["auc"]["value"].as_f64().expect("a figure");
    assert!(0.9 < auc, "{said}");
}

#[test]
fn its_calibration_is_of_ten_people_unseen_in_training() {
    let card = card();
    let calibration = card.calibration.expect("a calibration");
    assert_eq!(calibration.identities(), 10);
    assert_eq!((calibration.same_pairs(), calibration.different_pairs()), (450, 4500));
    assert!(calibration.split().contains("unseen in training"), "{}", calibration.split());
    assert!(calibration.eer() <= 0.033, "{}", calibration.eer());
    let people: Vec<String> = (1..=40).step_by(4).map(|it| format!("s{it}")).collect();
    let acquaintance = Acquaintance::of(card.provenance.as_ref(), calibration.data(), &people);
    assert_eq!(acquaintance, Acquaintance::Unseen);
}

#[test]
fn its_threshold_lies_where_errors_are_equal() {
    let card = card();
    let threshold = card.threshold.expect("a threshold");
    let calibration = card.calibration.expect("a calibration");
    assert_eq!(calibration.at(threshold), calibration.eer_point());
    assert!(card.golden.is_some_and(|it| !it.pairs.is_empty()));
}

#[test]
fn it_can_be_calibrated_again_on_other_pictures() {
    let ground = faces();
    ground.run_on(FACES.as_ref(), "calibrate", &["--out", "mine.onnx", "--split", "mine"]).well();
    let mine = OnnxTower::load(&ground.at("mine.onnx"), &Options::default()).expect("a tower");
    let calibration = mine.card().calibration.as_ref().expect("a calibration");
    assert_eq!((calibration.data(), calibration.split()), ("data", "mine"));
    assert_eq!(mine.card().golden, card().golden);
}
