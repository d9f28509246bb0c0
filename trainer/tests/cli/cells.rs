//! Training on the cells of pairs, from a list that tells where images have changed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use siamese_core::model::{Device, Length, OnnxModel, Options};
use siamese_trainer::learn::history;

use crate::evaluate::report;
use crate::ground::{Ground, Outcome};

const ORL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx");
/// The side of an image. It has 8 by 8 cells.
const SIDE: u32 = 64;
/// The side of what is painted into a changed image.
const PAINTED: u32 = 18;
const SPLIT: [&str; 2] = ["--hold-out-fold", "0/4"];

/// Draws a scene of coloured blocks.
fn scene(number: u64) -> RgbImage {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let blocks: Vec<[u8; 3]> =
        (0..256).map(|_| [(); 3].map(|()| random.random_range(60..200))).collect();
    RgbImage::from_fn(SIDE, SIDE, |column, row| Rgb(blocks[(row / 4 * 16 + column / 4) as usize]))
}

/// Adds grain to an image.
fn grainy(mut image: RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    for value in image.iter_mut() {
        *value = value.saturating_add_signed(random.random_range(-6..=6));
    }
    image
}

/// Writes pairs, of which every third is unchanged. In the others a striped square has appeared.
fn write(ground: &Ground, n_pairs: u64) {
    fs::create_dir_all(ground.at("scenes")).expect("a folder");
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut list = "before,after,boxes\n".to_owned();
    for number in 0..n_pairs {
        let before = scene(number);
        let mut after = grainy(before.clone(), &mut random);
        let mut boxes = String::new();
        if number % 3 != 0 {
            let [left, top] = [(); 2].map(|()| random.random_range(0..SIDE - PAINTED));
            for (across, down) in (0..PAINTED).flat_map(|a| (0..PAINTED).map(move |d| (a, d))) {
                let value = if (across + down) % 6 < 3 { 250 } else { 5 };
                after.put_pixel(left + across, top + down, Rgb([value; 3]));
            }
            boxes = format!("{left} {top} {} {}", left + PAINTED, top + PAINTED);
        }
        for (name, image) in [("before", before), ("after", after)] {
            image.save(ground.at(&format!("scenes/{number}-{name}.png"))).expect("an image");
        }
        writeln!(list, "scenes/{number}-before.png,scenes/{number}-after.png,{boxes}")
            .expect("a line");
    }
    fs::write(ground.at("list.csv"), list).expect("a list");
}

fn run(ground: &Ground, command: &[&str], arguments: &[&str]) -> Outcome {
    let all: Vec<_> = command.iter().chain(&["--data", "list.csv"]).chain(arguments).collect();
    ground.program(all.into_iter().map(AsRef::as_ref))
}

fn train(ground: &Ground, out: &str, arguments: &[&str]) -> Outcome {
    let fixed = ["train", "--backbone", "lite0", "--input", "64", "--steps", "60", "--out", out];
    run(ground, &fixed, arguments)
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|it| it.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn cells_are_learned_and_planted_changes_are_found() {
    let ground = Ground::new();
    write(&ground, 24);
    let trained = train(&ground, "raw.onnx", &SPLIT);
    assert!(trained.stderr.contains("on cells of held-out pairs"), "{}", trained.stderr);
    let output = trained.success();
    assert!(output.contains("Report on the held-out pairs: raw.run/report/index.html"), "{output}");
    let losses: Vec<f64> =
        history::read(&ground.at("raw.run")).iter().map(|entry| entry.loss).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / 10.0;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < 0.5 * first, "{losses:?}");

    let options = Options { device: Device::Cpu, ..Options::default() };
    let model = OnnxModel::load(&ground.at("raw.onnx"), &options).expect("a model");
    let description = model.description();
    assert_eq!((description.map, description.width), (Some([8, 8]), 32));
    assert_eq!((model.card().length, model.card().margin), (Length::AsIs, None));
    let provenance = model.card().provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["network"]["kind"], "cells", "{provenance}");
    assert_eq!(
        (&provenance["data"]["pairs"], &provenance["data"]["images"]),
        (&18.into(), &36.into())
    );
    assert!(provenance["backbone"]["name"].as_str().is_some_and(|name| name.contains("lite0")));

    // The maps are cached, and the same seed gives the same file.
    let cached = ground.at("cache/siamese/cells");
    assert_eq!(files(&cached), 24);
    train(&ground, "again.onnx", &[&SPLIT[..], &["--name", "raw"]].concat()).success();
    assert_eq!(files(&cached), 24);
    let bytes = |name| fs::read(ground.at(name)).expect("a file");
    assert!(bytes("raw.onnx") == bytes("again.onnx"));

    // So does a run that continues from an earlier checkpoint.
    fs::remove_dir_all(ground.at("raw.run/step-60")).expect("the last checkpoint");
    let resume =
        ["train", "--resume", "--run", "raw.run", "--name", "raw", "--out", "resumed.onnx"];
    run(&ground, &resume, &SPLIT).success();
    assert!(bytes("raw.onnx") == bytes("resumed.onnx"));

    let measured = ["--fold", "0/4", "--resamples", "40"];
    let calibrate = ["calibrate", "--model", "raw.onnx", "--out", "model.onnx"];
    let output = run(&ground, &calibrate, &measured).success();
    assert!(output.contains("(list, images unseen in training)"), "{output}");
    let evaluate = ["evaluate", "--model", "model.onnx", "--report", "report"];
    run(&ground, &evaluate, &measured).success();
    let record = report(&ground);
    let number = |path: &str| record.pointer(path).and_then(Value::as_f64).expect(path);
    assert!(number("/recall/value") > 0.9, "{record}");
    assert!(number("/auc/value") > 0.98, "{record}");

    refuses_what_it_cannot_learn(&ground);
}

/// In a folder that has the backbone already, so that no note about it precedes an error.
#[track_caller]
fn refuses_what_it_cannot_learn(ground: &Ground) {
    let refusal = |arguments: &[&str]| train(ground, "other.onnx", arguments).error();
    let error = refusal(&[&SPLIT[..], &["--loss", "contrastive"]].concat());
    assert!(error.contains("omit --loss"), "{error}");
    let lines = fs::read_to_string(ground.at("list.csv")).expect("a list");
    let list = |keep: &dyn Fn(usize, &str) -> bool| {
        let kept =
            lines.lines().enumerate().filter(|(number, line)| *number == 0 || keep(*number, line));
        let kept: Vec<_> = kept.map(|(_, line)| line).collect();
        fs::write(ground.at("list.csv"), kept.join("\n")).expect("a list");
    };
    list(&|number, _| number < 5);
    let error = refusal(&[]);
    assert!(error.contains("4 pairs are too few to train on: give at least 8"), "{error}");
    list(&|_, line| line.ends_with(','));
    let error = refusal(&[]);
    assert!(error.contains("there are 8 pairs here, but no changed cell"), "{error}");
    let printed = run(ground, &["train", "--backbone", "lite0", "--print-config"], &[]).success();
    assert!(printed.contains("kind = \"cells\"") && printed.contains("steps = 2000"), "{printed}");
}

#[test]
fn another_backbone_is_refused_with_the_way_out() {
    let ground = Ground::new();
    write(&ground, 3);
    let error = run(&ground, &["train", "--backbone", ORL, "--out", "model.onnx"], &[]).error();
    assert!(
        error.contains("can't be trained on the places of changes: give --backbone lite0"),
        "{error}"
    );
}
