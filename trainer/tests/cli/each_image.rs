//! Folders in which each image is an identity.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use siamese_core::model::{OnnxModel, Options};
use siamese_trainer::config::Length;

use crate::evaluate::report;
use crate::ground::{BRIGHTNESS, Ground, Outcome};
use crate::made;

const EACH: [&str; 4] = ["--data", "data", "--identities", "each-image"];

fn run(ground: &Ground, command: &str, arguments: &[&str]) -> Outcome {
    ground.program([&[command], &EACH[..], arguments].concat().into_iter().map(OsStr::new))
}

/// Makes a folder of different patterns without identities: some in subfolders, and one twice.
fn patterns() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("made"), 12, 2);
    fs::create_dir_all(ground.at("data/more/deep")).expect("a folder");
    for number in 0..12 {
        let folder = ["data", "data/more", "data/more/deep"][number % 3];
        let file = format!("{folder}/{number}.png");
        fs::copy(ground.at(&format!("made/pattern{number}/1.png")), ground.at(&file))
            .expect("a copy");
    }
    fs::copy(ground.at("data/0.png"), ground.at("data/more/again.png")).expect("a copy");
    fs::write(ground.at("data/notes.txt"), "no image").expect("a file");
    ground
}

#[test]
fn a_model_that_finds_copies_is_trained_calibrated_and_measured() {
    let ground = patterns();
    let mut config = made::config();
    config.length = Length::Steps(60);
    fs::write(ground.at("config.toml"), toml::to_string(&config).expect("TOML")).expect("a file");
    let arguments = ["--config", "config.toml", "--hold-out-fold", "0/3", "--out", "raw.onnx"];
    let outcome = run(&ground, "train", &arguments);
    let note = "1 of 13 files are equal to another one";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    outcome.success();
    let record = fs::read_to_string(ground.at("raw.run/run.toml")).expect("a record");
    assert!(record.contains("identities = 8\nimages = 56"), "{record}");

    // The lists name files only.
    let list = fs::read_to_string(ground.at("raw.run/held-out.sha256")).expect("a list");
    assert_eq!(list.lines().count(), 4, "{list}");
    let mut check = Command::new("sha256sum");
    check.current_dir(ground.at("data")).args(["--check", "../raw.run/held-out.sha256"]);
    assert!(check.status().expect("sha256sum runs").success());

    let fold = ["--fold", "0/3", "--model"];
    let out = ["raw.onnx", "--out", "mine.onnx"];
    let output = run(&ground, "calibrate", &[&fold[..], &out].concat()).success();
    assert!(output.contains("data (each image), identities unseen in training"), "{output}");
    let evaluate = |arguments: &[&str]| {
        let arguments = [&fold[..], arguments, &["--report", "report"]].concat();
        let output = run(&ground, "evaluate", &arguments).success();
        (output, report(&ground))
    };
    let (output, trained) = evaluate(&["mine.onnx"]);
    assert!(output.contains("4 identities, 28 images, 84 same and 294 different"), "{output}");
    let rate = trained["eer"]["value"].as_f64().expect("a rate");
    assert!(rate < 0.25, "{rate}");
    let (_, by_brightness) = evaluate(&[BRIGHTNESS]);
    assert!(rate < by_brightness["eer"]["value"].as_f64().expect("a rate"));
    let model = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    assert!(model.card().threshold.is_some());

    // The same images give the same figures.
    let again = evaluate(&["mine.onnx"]).1;
    assert_eq!(again["closest_different_pairs"], trained["closest_different_pairs"]);
}

#[test]
fn images_are_selected_by_name_and_unreadable_ones_are_skipped_with_their_variants() {
    let ground = patterns();
    let model = ["--model", BRIGHTNESS];
    let names = ["--identities", "each-image,3.png,more/1.png,more/deep/2.png"];
    let data = ["evaluate", "--data", "data"];
    let arguments = [&data[..], &names, &model].concat();
    let output = ground.program(arguments.into_iter().map(OsStr::new)).success();
    assert!(output.contains("3 identities, 21 images"), "{output}");

    fs::remove_file(ground.at("data/more/again.png")).expect("a copy");
    fs::write(ground.at("data/broken.jpg"), "no image").expect("a file");
    let error = run(&ground, "evaluate", &model).error();
    assert!(error.contains("1 file cannot be read as images: broken.jpg ("), "{error}");
    let skipping = run(&ground, "evaluate", &[&model[..], &["--skip-unreadable"]].concat());
    assert!(skipping.stderr.contains("skipped broken.jpg"), "{}", skipping.stderr);
    assert!(skipping.success().contains("12 identities, 84 images"));
}

#[test]
fn a_list_or_a_folder_without_images_gives_a_one_line_error() {
    let ground = patterns();
    fs::write(ground.at("list.csv"), "path,label\ndata/0.png,a\n").expect("a list");
    for (data, words) in [("list.csv", "omit each-image"), ("raw.run", "cannot be read")] {
        let arguments =
            ["evaluate", "--data", data, "--identities", "each-image", "--model", BRIGHTNESS];
        let error = ground.program(arguments.into_iter().map(OsStr::new)).error();
        assert!(error.contains(words), "{error}");
    }
    let error = ground
        .program(["evaluate", "--data", "data", "--model", BRIGHTNESS].map(OsStr::new))
        .error();
    assert!(error.contains("or pass --identities each-image"), "{error}");
}
