//! The choices that training makes from the images, and what it shows of a run.

use std::ffi::OsStr;
use std::fs;

use image::{Rgb, RgbImage};
use siamese_core::model::{OnnxModel, Options};
use siamese_core::preprocessing::Colour;
use siamese_trainer::config::{Config, Length};

use crate::ground::{Ground, Outcome};
use crate::made;

fn run(ground: &Ground, arguments: &[&str]) -> Outcome {
    ground.program(["train", "--data", "data"].iter().chain(arguments).map(OsStr::new))
}

fn config(outcome: Outcome) -> Config {
    toml::from_str(&outcome.success()).expect("a configuration")
}

/// Makes grey patterns, and one image in colour.
fn coloured() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    let colour = |column: u32, row: u32| {
        Rgb([200, if column < 16 { 30 } else { 90 }, if row < 9 { 20 } else { 160 }])
    };
    let image = RgbImage::from_fn(32, 32, colour);
    image.save(ground.at("data/pattern3/9.png")).expect("an image");
    ground
}

#[test]
fn the_printed_configuration_is_the_one_that_would_run() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 3, 2);
    assert_eq!(config(run(&ground, &["--print-config"])), Config::compact());
    let outcome = run(
        &ground,
        &["--print-config", "--network", "baseline", "--input", "48x40", "--colour", "rgb"],
    );
    let printed = config(outcome);
    let mut expected = Config::baseline();
    (expected.input.height, expected.input.width, expected.input.colour) = (48, 40, Colour::Rgb);
    assert_eq!(printed, expected);

    fs::write(ground.at("config.toml"), toml::to_string(&printed).expect("TOML")).expect("a file");
    let arguments = ["--print-config", "--config", "config.toml", "--steps", "3", "--input", "64"];
    let repeated = config(run(&ground, &arguments));
    (expected.input.height, expected.input.width) = (64, 64);
    expected.length = Length::Steps(3);
    assert_eq!(repeated, expected);
    let error = run(&ground, &["--print-config", "--input", "2"]).error();
    assert!(error.contains("needs an input of at least"), "{error}");
    let names = fs::read_dir(ground.at("")).expect("a folder").count();
    assert_eq!(names, 2, "only the data and the configuration are there");
}

#[test]
fn images_in_colour_are_read_in_colour() {
    let ground = coloured();
    let outcome = run(&ground, &["--out", "model.onnx", "--steps", "2", "--input", "32"]);
    assert!(outcome.stderr.contains("the network reads rgb"), "{}", outcome.stderr);
    outcome.success();
    let model = OnnxModel::load(&ground.at("model.onnx"), &Options::default()).expect("a model");
    assert_eq!(model.card().preprocessing.shape(), [3, 32, 32]);

    let colour = |arguments: &[&str]| {
        config(run(&ground, &[&["--print-config"], arguments].concat())).input.colour
    };
    assert_eq!(colour(&[]), Colour::Rgb);
    assert_eq!(colour(&["--network", "wavelet"]), Colour::Grey);
    assert_eq!(colour(&["--colour", "grey"]), Colour::Grey);
}

#[test]
fn a_run_writes_an_event_file_for_tensorboard() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    let mut small = made::config();
    small.length = Length::Steps(4);
    small.watch.evaluate_every = 2;
    fs::write(ground.at("config.toml"), toml::to_string(&small).expect("TOML")).expect("a file");
    let arguments =
        ["--out", "model.onnx", "--config", "config.toml", "--tensorboard", "board/first"];
    run(&ground, &arguments).success();
    let files: Vec<_> = fs::read_dir(ground.at("board/first")).expect("a folder").collect();
    let [Ok(file)] = &files[..] else { panic!("{files:?}") };
    assert!(file.file_name().to_string_lossy().contains("tfevents"), "{file:?}");
    let events = fs::read(file.path()).expect("a file");
    let count = |word: &[u8]| events.windows(word.len()).filter(|window| *window == word).count();
    assert_eq!([count(b"loss"), count(b"rate"), count(b"eer")], [4, 4, 2]);

    let config = toml::to_string(&made::wavelet()).expect("TOML");
    fs::write(ground.at("config.toml"), config).expect("a file");
    let arguments =
        ["--out", "wavelet.onnx", "--config", "config.toml", "--tensorboard", "board/wavelet"];
    run(&ground, &arguments).success();
    assert!(ground.at("board/wavelet").is_dir());
    fs::write(ground.at("file"), "").expect("a file");
    let error = run(&ground, &["--out", "model.onnx", "--tensorboard", "file"]).error();
    assert!(error.contains("file"), "{error}");
}
