//! Adoption of foreign networks.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use siamese_core::model::{OnnxModel, Options, rewrite};

use crate::ground::{BRIGHTNESS, Ground};
use crate::networks::{self, Reading};

/// Writes the brightness network without its card.
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
    let output = ground.run_on(&bare, "adopt", &[&arguments[..], &more].concat()).success();
    assert!(output.contains("tried on 9 images of 3 identities"), "{output}");
    assert!(output.contains("EER   0.00 %  --colour grey --scale 1 --mean 0 --std 1"), "{output}");
    assert!(output.contains("No other preprocessing is significantly better"), "{output}");
    assert!(output.contains("threshold"), "{output}");
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
fn a_wrong_usage_is_found_and_the_better_one_used_on_request() {
    // An embedding with one coordinate, scaled to length 1, is 1 for all images.
    let greys: Vec<(String, Vec<u8>)> = (0..12)
        .map(|number| (format!("id{number}"), vec![number * 20 + 1, number * 20 + 2]))
        .collect();
    let named: Vec<(&str, &[u8])> =
        greys.iter().map(|identity| (identity.0.as_str(), &identity.1[..])).collect();
    let ground = Ground::of(&named);
    let bare = bare(&ground);
    let wrong = ["--input", "4", "--scale", "1", "--out", "mine.onnx"];
    let output = ground.run_on(&bare, "adopt", &[&wrong[..], &["--best"]].concat()).success();
    assert!(output.contains("significantly better: --colour"), "{output}");
    assert!(output.contains("The model uses it."), "{output}");
    assert!(output.contains("--embedding as-is\nEER 0.00 % instead of 50.00 %"), "{output}");
    assert!(ground.at("mine.onnx").exists());
}

#[test]
fn an_unsuitable_network_gives_a_one_line_error() {
    let ground = Ground::of(&[("a", &[10, 11]), ("b", &[50, 51])]);
    let bare = bare(&ground);
    for (arguments, with) in [
        (&["--input", "4", "--colour", "rgb"][..], "--colour rgb has 3"),
        (&["--input", "4", "--mean", "0,0"], "mean"),
        (&["--input", "4", "--identities", "z"], "no identity named z"),
    ] {
        let arguments = [arguments, &["--out", "mine.onnx"]].concat();
        let error = ground.run_on(&bare, "adopt", &arguments).error();
        assert!(error.contains(with), "{error}");
        assert!(!ground.at("mine.onnx").exists());
    }
    let image = ground.at("data/a/0.png");
    let error = ground.run_on(&image, "adopt", &["--out", "mine.onnx"]).error();
    assert!(error.contains("0.png") || error.contains("no ONNX"), "{error}");
}

#[test]
fn a_network_that_reads_bytes_with_the_channels_last_is_adopted() {
    let ground = Ground::of(&[("a", &[10, 11, 12]), ("b", &[50, 51, 52]), ("c", &[90, 91, 92])]);
    let network = ground.at("network.onnx");
    let bare = fs::read(bare(&ground)).expect("a file");
    let reading = Reading { bytes: true, channels_last: true, any_size: true };
    fs::write(&network, reading.by(&bare, [1, 4, 4])).expect("a file");
    let arguments = ["--input", "4", "--embedding", "as-is", "--out", "mine.onnx"];
    let output = ground.run_on(&network, "adopt", &arguments).success();
    assert!(output.contains("EER   0.00 %  --colour grey --scale 1 --mean 0 --std 1"), "{output}");
    assert!(!output.contains("0.485"), "other ranges were tried on bytes: {output}");
    let error = ground.run_on(&network, "adopt", &[&["--mean", "0.5"], &arguments[..]].concat());
    assert!(error.error().contains("set scale to 1, mean to 0 and std to 1"));

    // The same network in single precision has the same calibration.
    let single = ground.at("single.onnx");
    fs::write(&single, Reading::default().by(&bare, [1, 4, 4])).expect("a file");
    let arguments = ["--scale", "1", "--embedding", "as-is", "--out", "other.onnx"];
    ground.run_on(&single, "adopt", &arguments).success();
    let [bytes, single] = ["mine.onnx", "other.onnx"]
        .map(|name| OnnxModel::load(&ground.at(name), &Options::default()).expect("a model"));
    assert_eq!(bytes.card().threshold, single.card().threshold);
    assert_eq!(bytes.card().golden, single.card().golden);
}

/// Replaces an image file by one that can be opened only once.
#[cfg(unix)]
fn make_readable_once(path: PathBuf) {
    let image = fs::read(&path).expect("an image");
    fs::remove_file(&path).expect("an image");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    thread::spawn(move || {
        // Opening the pipe waits for a reader.
        let mut pipe = OpenOptions::new().write(true).open(&path).expect("a pipe");
        fs::remove_file(&path).expect("a pipe");
        pipe.write_all(&image).expect("a reader");
    });
}

#[cfg(unix)]
#[test]
fn each_image_is_read_once_even_with_a_trial_and_a_report() {
    let ground =
        Ground::of(&[("a", &[10, 12]), ("b", &[50, 53]), ("c", &[90, 91]), ("d", &[130, 134])]);
    let pairs = ["a/0,a/1,1", "b/0,b/1,1", "a/0,b/0,0", "c/0,c/1,1", "d/0,d/1,1", "c/1,d/0,0"];
    let line = |pair: &&str| {
        let [left, right, same] = pair.split(',').collect::<Vec<_>>()[..] else { panic!("{pair}") };
        format!("data/{left}.png,data/{right}.png,{same}\n")
    };
    let list: String = pairs.iter().map(line).collect();
    fs::write(ground.at("pairs.csv"), format!("a,b,same\n{list}")).expect("a list");
    for name in ["a/0", "a/1", "b/0", "b/1", "c/0", "c/1", "d/0", "d/1"] {
        make_readable_once(ground.at(&format!("data/{name}.png")));
    }
    let network = bare(&ground);
    let arguments = ["adopt", "--model", "bare.onnx", "--data", "pairs.csv", "--input", "4"];
    let more = ["--scale", "1", "--embedding", "as-is", "--out", "mine.onnx", "--report", "report"];
    let output = ground.program(arguments.into_iter().chain(more).map(OsStr::new)).success();
    assert!(network.exists() && output.contains("tried on 8 images"), "{output}");
    assert!(ground.at("mine.onnx").exists() && ground.at("report/index.html").exists());
    assert!(!ground.at("data/a/0.png").exists(), "the image was not read from the pipe");
}

#[test]
fn a_network_without_embeddings_is_told_as_what_it_is() {
    let ground = Ground::of(&[("a", &[10, 12]), ("b", &[50, 53])]);
    let network = ground.at("network.onnx");
    for (onnx, arguments, words) in [
        (networks::not_a_number(), &[][..], "NaN or infinite"),
        (networks::classes(), &[], "whole numbers such as classes"),
        (networks::score(false), &[], "one number for each image, such as a score"),
        (networks::score(true), &[], "one number for each image, which is always 1 or -1"),
        (networks::pixels(), &["--mean", "123.675", "--std", "58.4"], "set scale to 1"),
    ] {
        fs::write(&network, onnx).expect("a file");
        let arguments = [arguments, &["--out", "mine.onnx"]].concat();
        let error = ground.run_on(&network, "adopt", &arguments).error();
        assert!(error.contains(words), "{error}");
        assert!(!ground.at("mine.onnx").exists());
    }
}

#[test]
fn external_weights_become_part_of_a_model_in_another_folder() {
    let ground = Ground::of(&[("a", &[10, 12]), ("b", &[50, 53]), ("c", &[90, 91])]);
    fs::create_dir_all(ground.at("network/weights")).expect("a folder");
    let network = ground.at("network/network.onnx");
    let weights = ground.at("network/weights/w.data");
    let bytes: Vec<u8> = (0_u8..32).flat_map(|number| f32::from(number).to_le_bytes()).collect();
    fs::write(&weights, bytes).expect("a file");
    fs::write(&network, networks::external("./weights/w.data")).expect("a file");
    let as_is = ["--embedding", "as-is", "--out", "mine.onnx"];
    ground.run_on(&network, "adopt", &as_is).success();

    // A model that was described by hand is calibrated with its weights, too.
    let card = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    let onnx = rewrite(&networks::external("./weights/w.data"), &card.card().to_metadata());
    let described = ground.at("network/described.onnx");
    fs::write(&described, onnx.expect("ONNX")).expect("a file");
    ground.run_on(&described, "calibrate", &["--out", "calibrated.onnx"]).success();

    fs::remove_file(&weights).expect("a file");
    for name in ["mine.onnx", "calibrated.onnx"] {
        OnnxModel::load(&ground.at(name), &Options::default()).expect("a whole model");
    }
    for model in [&network, &described] {
        let error = ground.run_on(model, "adopt", &as_is).error();
        assert!(error.contains("network/weights/w.data cannot be read"), "{error}");
    }
}
