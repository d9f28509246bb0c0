//! Somebody else's network, adopted.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use siamese_core::model::{OnnxModel, Options, rewrite};

use crate::ground::{BRIGHTNESS, Ground};

/// The network of foreseen distances without its card, as anybody's is.
fn bare(ground: &Ground) -> PathBuf {
    let onnx = fs::read(BRIGHTNESS).expect("a file");
    let path = ground.at("bare.onnx");
    fs::write(&path, rewrite(&onnx, &[]).expect("ONNX")).expect("a file");
    path
}

#[test]
fn a_bare_network_becomes_a_calibrated_model() {
    let ground = Ground::of(&[("a", &[10, 11, 12]), ("b", &[50, 51, 52]), ("c", &[90, 91, 92])]);
    let bare = bare(&ground);
    let arguments = ["--input", "4", "--scale", "1", "--embedding", "as-is", "--out", "mine.onnx"];
    let more = ["--name", "mine", "--purpose", "Tells greys apart.", "--report", "report"];
    let said = ground.run_on(&bare, "adopt", &[&arguments[..], &more].concat()).well();
    assert!(said.contains("Tried on 9 images of 3 identities"), "{said}");
    assert!(said.contains("EER   0.00 %  --colour grey --scale 1 --mean 0 --std 1"), "{said}");
    assert!(said.contains("No other separates your pairs better"), "{said}");
    assert!(said.contains("threshold"), "{said}");
    assert!(ground.at("report/index.html").exists());

    let model = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    let card = model.card();
    assert_eq!(card.name, "mine");
    assert_eq!(card.purpose.as_ref().expect("a purpose").as_str(), "Tells greys apart.");
    let threshold = card.threshold.expect("a threshold").get();
    assert!((2.0..38.0).contains(&threshold), "{threshold}");
    assert!(card.golden.is_some() && card.calibration.is_some());
    let provenance = card.provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["adopted_from"]["file"], "bare.onnx");
}

#[test]
fn a_wrong_length_is_found_out_and_the_better_one_taken_where_asked() {
    // A mean grey divided by its length is 1 for all.
    let greys: Vec<(String, Vec<u8>)> =
        (0..12).map(|it| (format!("id{it}"), vec![it * 20 + 1, it * 20 + 2])).collect();
    let named: Vec<(&str, &[u8])> = greys.iter().map(|it| (it.0.as_str(), &it.1[..])).collect();
    let ground = Ground::of(&named);
    let bare = bare(&ground);
    let wrong = ["--input", "4", "--scale", "1", "--out", "mine.onnx"];
    let said = ground.run_on(&bare, "adopt", &[&wrong[..], &["--best"]].concat()).well();
    assert!(said.contains("more than chance") && said.contains("It is taken."), "{said}");
    assert!(said.contains("--embedding as-is\nEER 0.00 % instead of 50.00 %"), "{said}");
    assert!(ground.at("mine.onnx").exists());
}

#[test]
fn what_is_no_model_is_refused_in_a_line() {
    let ground = Ground::of(&[("a", &[10, 11]), ("b", &[50, 51])]);
    let bare = bare(&ground);
    for (arguments, with) in [
        (&["--input", "4", "--colour", "rgb"][..], "--colour rgb has 3"),
        (&["--input", "4", "--mean", "0,0"], "mean"),
        (&["--input", "4", "--identities", "z"], "no identity named z"),
    ] {
        let arguments = [arguments, &["--out", "mine.onnx"]].concat();
        let refusal = ground.run_on(&bare, "adopt", &arguments).refusal();
        assert!(refusal.contains(with), "{refusal}");
        assert!(!ground.at("mine.onnx").exists());
    }
    let image = ground.at("data/a/0.png");
    let refusal = ground.run_on(&image, "adopt", &["--out", "mine.onnx"]).refusal();
    assert!(refusal.contains("0.png") || refusal.contains("no ONNX"), "{refusal}");
}

/// Makes an image's file that can be opened once: it is gone as soon as somebody reads it.
#[cfg(unix)]
fn put_once(path: PathBuf) {
    let image = fs::read(&path).expect("an image");
    fs::remove_file(&path).expect("an image");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    thread::spawn(move || {
        // Opening it waits for a reader.
        let mut pipe = OpenOptions::new().write(true).open(&path).expect("a pipe");
        fs::remove_file(&path).expect("a pipe");
        pipe.write_all(&image).expect("a reader");
    });
}

#[cfg(unix)]
#[test]
fn each_image_is_read_once_whatever_is_tried_and_reported() {
    let ground =
        Ground::of(&[("a", &[10, 12]), ("b", &[50, 53]), ("c", &[90, 91]), ("d", &[130, 134])]);
    let pairs = ["a/0,a/1,1", "b/0,b/1,1", "a/0,b/0,0", "c/0,c/1,1", "d/0,d/1,1", "c/1,d/0,0"];
    let line = |it: &&str| {
        let [left, right, same] = it.split(',').collect::<Vec<_>>()[..] else { panic!("{it}") };
        format!("data/{left}.png,data/{right}.png,{same}\n")
    };
    let list: String = pairs.iter().map(line).collect();
    fs::write(ground.at("pairs.csv"), format!("a,b,same\n{list}")).expect("a list");
    for name in ["a/0", "a/1", "b/0", "b/1", "c/0", "c/1", "d/0", "d/1"] {
        put_once(ground.at(&format!("data/{name}.png")));
    }
    let network = bare(&ground);
    let arguments = ["adopt", "--model", "bare.onnx", "--data", "pairs.csv", "--input", "4"];
    let more = ["--scale", "1", "--embedding", "as-is", "--out", "mine.onnx", "--report", "report"];
    let said = ground.program(arguments.into_iter().chain(more).map(OsStr::new)).well();
    assert!(network.exists() && said.contains("Tried on 8 images"), "{said}");
    assert!(ground.at("mine.onnx").exists() && ground.at("report/index.html").exists());
    assert!(!ground.at("data/a/0.png").exists(), "it was read from where it was put");
}
