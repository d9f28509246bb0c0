//! Folders that divide the data.

use std::fs;

use crate::ground::Ground;
use crate::made;

const NOTE: &str = "note: the folders test, train, val divide the data: ";

#[test]
fn an_identity_in_several_folders_is_one() {
    // Without the folders, the identities of one name would be different and have a distance of 1.
    let ground = Ground::of(&[
        ("train/ann", &[100, 101]),
        ("train/bob", &[110, 111]),
        ("val/ann", &[102]),
        ("test/bob", &[112]),
    ]);
    let outcome = ground.run("evaluate", &["--resamples", "0"]);
    let words = format!("{NOTE}2 identities, each counted once; none is held out, because");
    assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    let output = outcome.success();
    assert!(output.contains("2 identities, 6 images, 6 same and 9 different pairs"), "{output}");
    let output = ground.run("calibrate", &["--out", "out.onnx"]).success();
    assert!(output.contains("(data, all identities)"), "{output}");
}

/// Three training identities and two others, of patterns.
fn divided() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("made"), 5, 4);
    let folders = ["train/ann", "train/bob", "train/cleo", "val/daniela-moser", "test/evelyn-graf"];
    for (number, folder) in folders.into_iter().enumerate() {
        let folder = ground.at("data").join(folder);
        fs::create_dir_all(folder.parent().expect("a parent")).expect("a folder");
        fs::rename(ground.at(&format!("made/pattern{number}")), folder).expect("a folder");
    }
    ground
}

#[test]
fn folders_without_common_identities_choose_what_is_held_out() {
    let ground = divided();
    let train = ["train", "--data", "data", "--network", "wavelet", "--out", "made.onnx"];
    let outcome = ground.program(train.iter().map(AsRef::as_ref));
    let words = format!("{NOTE}3 identities in train, and 2 in test and val, which are held out");
    assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    assert!(outcome.success().contains("Report on the held-out identities"));

    let model = ground.at("made.onnx");
    let outcome = ground.run_on(&model, "evaluate", &["--resamples", "0"]);
    assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("trained on"), "{}", outcome.stderr);
    assert!(outcome.success().contains("2 identities, 8 images"));

    let file = fs::read(&model).expect("a model");
    let file = String::from_utf8_lossy(&file);
    assert!(!file.contains("daniela-moser") && !file.contains("evelyn-graf"), "names in the model");

    // Options select others.
    let outcome = ground.run_on(&model, "evaluate", &["--identities", "ann,daniela-moser"]);
    assert!(
        outcome.stderr.contains("trained on 1 of these identities (ann)"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.success().contains("2 identities, 8 images"));
}

#[test]
fn a_name_in_several_other_folders_gives_a_warning() {
    let ground = Ground::of(&[("2019/ann", &[1, 2]), ("2020/ann", &[60, 61])]);
    let outcome = ground.run("evaluate", &["--resamples", "0"]);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: names in several folders"), "{}", outcome.stderr);
    assert!(outcome.success().contains("2 identities, 4 images"));
}

#[test]
fn a_calibration_on_the_identities_that_folders_hold_out_says_so() {
    let ground = Ground::of(&[
        ("train/ann", &[10, 12]),
        ("train/bob", &[40, 42]),
        ("val/cleo", &[100, 102]),
        ("val/dan", &[112, 114]),
    ]);
    let output = ground.run("calibrate", &["--out", "out.onnx"]).success();
    assert!(output.contains("of 2 identities (data, selected identities)"), "{output}");
}
