//! Export of models with 8-bit weights.

use std::fs;
use std::path::{Path, PathBuf};

use siamese_core::model::{
    Card, Device, MeasuredReduction, Model, OnnxModel, Options, WeightKind, rewrite,
};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::{Embedding, Threshold};
use siamese_trainer::config::Config;
use siamese_trainer::data::{Collection, Gallery};
use siamese_trainer::export::export;
use siamese_trainer::learn::Learning;

use crate::ground::{BRIGHTNESS, Ground};
use crate::made;

const SMALL: &str = "small.onnx";
const INT8: [&str; 4] = ["--weights", "int8", "--out", SMALL];

/// Makes synthetic images, and a small baseline network after one training step; its first linear layer has 1.6 million
/// weights.
fn ground() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 4, 5);
    let mut config = Config::baseline();
    (config.input.height, config.input.width) = (20, 20);
    let folder = Collection::open(&ground.at("data")).expect("images");
    let gallery = Gallery::load(&folder, &config.preprocessing(), false).expect("images");
    let mut learning = Learning::new(&config, &gallery);
    learning.advance();
    let mut card = load(BRIGHTNESS.as_ref()).card().clone();
    card.preprocessing = config.preprocessing();
    let pixels: Vec<_> = gallery.samples().iter().map(|sample| &sample.pixels).collect();
    let exported = export(&learning.network(), card, &pixels).expect("a model");
    fs::write(ground.at("raw.onnx"), exported.onnx).expect("a file");
    ground
}

/// Writes the model with a threshold and other changes to its card.
fn model(ground: &Ground, threshold: f64, change: impl FnOnce(&mut Card)) -> PathBuf {
    let raw = ground.at("raw.onnx");
    let mut card = load(&raw).card().clone();
    card.threshold = Some(Threshold::try_from(threshold).expect("a threshold"));
    change(&mut card);
    let onnx = fs::read(raw).expect("a file");
    let path = ground.at("model.onnx");
    fs::write(&path, rewrite(&onnx, &card.to_metadata()).expect("ONNX")).expect("a file");
    path
}

fn load(model: &Path) -> OnnxModel {
    let options = Options { device: Device::Cpu, ..Options::default() };
    OnnxModel::load(model, &options).expect("a model")
}

fn pixels(ground: &Ground, model: &OnnxModel) -> Vec<Pixels> {
    let folder = Collection::open(&ground.at("data")).expect("images");
    let gallery = Gallery::load(&folder, &model.card().preprocessing, false).expect("images");
    gallery.samples().iter().map(|sample| sample.pixels.clone()).collect()
}

fn embed(model: &mut OnnxModel, pixels: &[Pixels]) -> Vec<Embedding> {
    let embedded = model.embed(pixels).expect("a run");
    embedded.into_iter().map(|embedding| embedding.expect("finite")).collect()
}

/// Returns the distances of all pairs.
fn distances(embeddings: &[Embedding]) -> Vec<f64> {
    let pairs = embeddings.iter().enumerate();
    pairs
        .flat_map(|(index, embedding)| {
            embeddings[index + 1..].iter().map(|other| embedding.distance(other).get())
        })
        .collect()
}

#[test]
fn an_8_bit_model_states_its_change_and_keeps_its_card() {
    let ground = ground();
    let reduction = MeasuredReduction {
        samples: 2.0,
        pairs: 276,
        mean_of_threshold: 0.001,
        largest_of_threshold: 0.01,
        flipped: 0.0,
    };
    let path = model(&ground, 1.0, |card| card.reduction = Some(reduction));
    let output = ground.run_on(&path, "export", &INT8).success();
    assert!(output.contains("verdicts changed (data, all identities)"), "{output}");

    let (mut before, mut after) = (load(&path), load(&ground.at(SMALL)));
    let [large, small] =
        [&path, &ground.at(SMALL)].map(|path| fs::metadata(path).expect("a file").len());
    assert!(2 * small < large, "{small} of {large} bytes");
    let published = serde_json::to_value(after.description().as_ref()).expect("JSON");
    assert_eq!(published["weights"]["drift"]["pairs"], 190);
    let card = after.card().clone();
    let weights = card.weights.expect("an entry");
    assert_eq!(weights.kind, WeightKind::Int8);
    assert_eq!(weights.made_from, before.description().digest);
    assert_eq!((card.threshold.map(f64::from), card.margin), (Some(1.0), Some(20.0)));
    assert_eq!(card.name, before.card().name);
    assert_ne!(card.golden, before.card().golden);
    assert_eq!((before.card().reduction, card.reduction), (Some(reduction), None));

    let pixels = pixels(&ground, &before);
    let [before, after] = [&mut before, &mut after].map(|model| distances(&embed(model, &pixels)));
    let mut changes: Vec<f64> = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).collect();
    changes.sort_unstable_by(f64::total_cmp);
    let drift = weights.drift;
    assert_eq!(drift.pairs, 190);
    assert!(0.0 < drift.largest);
    for (stated, found) in [
        (drift.largest, changes[189]),
        (drift.median, f64::midpoint(changes[94], changes[95])),
        (drift.largest_of_threshold, changes[189]),
        (drift.flipped, 0.0),
    ] {
        assert!((stated - found).abs() < 1e-9, "{stated} is not {found}");
    }
}

#[test]
fn an_embedding_does_not_depend_on_the_other_images_of_the_batch() {
    let ground = ground();
    ground.run_on(&model(&ground, 1.0, |_| ()), "export", &INT8).success();
    let mut model = load(&ground.at(SMALL));
    // Black, white, values far above those of any image, and the synthetic images.
    let mut pixels = pixels(&ground, &model);
    pixels.extend([0.0, 1.0, 100.0].map(|value| Pixels::new(vec![value; 400])));
    pixels.reverse();
    let alone: Vec<_> =
        pixels.iter().flat_map(|image| embed(&mut model, std::slice::from_ref(image))).collect();
    for batch in [2, 8, 32] {
        let together: Vec<_> =
            pixels.chunks(batch).flat_map(|images| embed(&mut model, images)).collect();
        for (alone, together) in distances(&alone).iter().zip(distances(&together)) {
            assert!((alone - together).abs() <= 1e-5 * alone, "{alone} and {together}");
        }
    }
}

#[test]
fn a_model_that_flips_too_many_verdicts_is_not_written() {
    let ground = ground();
    let path = model(&ground, 1.0, |_| ());
    ground.run_on(&path, "export", &INT8).success();
    let (mut before, mut after) = (load(&path), load(&ground.at(SMALL)));
    fs::remove_file(ground.at(SMALL)).expect("a file");
    let pixels = pixels(&ground, &before);
    let [before, after] = [&mut before, &mut after].map(|model| distances(&embed(model, &pixels)));
    // The threshold is between a pair's distances before and after.
    let moved = before.iter().zip(&after).max_by(|a, b| {
        let [a, b] = [a, b].map(|(before, after)| (*before - *after).abs());
        a.total_cmp(&b)
    });
    let (before, after) = moved.expect("pairs");
    let path = model(&ground, f64::midpoint(*before, *after), |_| ());

    let error = ground.run_on(&path, "export", &[&INT8[..], &["--max-flipped", "0"]].concat());
    let error = error.error();
    assert!(error.contains("of 190 verdicts flip, above the 0.000 %"), "{error}");
    assert!(!ground.at(SMALL).exists());
    ground.run_on(&path, "export", &[&INT8[..], &["--max-flipped", "1"]].concat()).success();
    let drift = load(&ground.at(SMALL)).card().weights.clone().expect("an entry").drift;
    assert!(0.0 < drift.flipped, "{drift}");
}

#[test]
fn an_export_without_measurement_or_benefit_is_rejected() {
    let ground = ground();
    let rejected = |model: &Path, more: &[&str], with: &str| {
        let error = ground.run_on(model, "export", &[&INT8[..], more].concat()).error();
        assert!(error.contains(with), "{error}");
        assert!(!ground.at(SMALL).exists());
    };
    rejected(&ground.at("raw.onnx"), &[], "calibrate it first");
    rejected(&model(&ground, 1.0, |_| ()), &["--identities", "nobody"], "no identity named nobody");
    let trained = model(&ground, 1.0, |card| {
        let provenance = r#"{"data": {"name": "data"}, "held_out": ["pattern0", "pattern1"]}"#;
        card.provenance = serde_json::from_str(provenance).expect("JSON");
    });
    rejected(&trained, &[], "trained on 2 of these identities (pattern2, pattern3)");
    ground
        .run_on(&trained, "export", &[&INT8[..], &["--identities", "pattern0,pattern1"]].concat())
        .success();
    let split = load(&ground.at(SMALL)).card().weights.clone().expect("an entry").drift.split;
    assert_eq!(split, "identities unseen in training");
    fs::remove_file(ground.at(SMALL)).expect("a file");

    let compact = ground.at("compact.onnx");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx"), &compact).expect("a copy");
    rejected(&compact, &[], "int8 has no benefit");
}
