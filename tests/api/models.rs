//! Anybody's models: what is taken, and what is refused with which words.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use siamese_core::model::{Device, Model, OnnxModel, Options};
use siamese_core::preprocessing::{Limits, Pixels};
use tempfile::TempDir;

use crate::app::{App, face, fixture, load, shipped};

const SIDECAR: &str = "input = 4\ncolour = \"grey\"\n";

/// A made model in a folder of its own, with a sidecar beside it.
fn placed(model: &str, sidecar: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(model);
    fs::copy(fixture("models").join(model), &path).expect("copied");
    if !sidecar.is_empty() {
        fs::write(path.with_extension("toml"), sidecar).expect("written");
    }
    (folder, path)
}

fn halves(left: f32, right: f32) -> Pixels {
    Pixels::new([left, left, right, right].repeat(4))
}

fn embed(model: &mut OnnxModel, images: &[Pixels]) -> Vec<Vec<f32>> {
    let embedded = model.embed(images).expect("a run");
    embedded.into_iter().map(|it| it.expect("finite").coordinates().to_vec()).collect()
}

fn said(path: &Path) -> String {
    let options = Options { device: Device::Cpu, ..Options::default() };
    match OnnxModel::load(path, &options) {
        Ok(_) => panic!("{} was loaded", path.display()),
        Err(err) => siamese_core::causes(&err),
    }
}

#[track_caller]
fn refused(model: &str, sidecar: &str, words: &[&str]) {
    let (_folder, path) = placed(model, sidecar);
    let said = said(&path);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn a_foreign_model_works_by_its_sidecar() {
    let (_folder, path) = placed("plain.onnx", SIDECAR);
    let mut model = load(&path);
    let images = [halves(0.0, 1.0), halves(0.25, 0.5), halves(1.0, 1.0)];
    let expected = [[0.0, 1.0], [0.25, 0.5], [1.0, 1.0]];
    assert_eq!(embed(&mut model, &images), expected);
    assert_eq!(model.card().name, "plain");
    assert!(!model.description().one_at_a_time);
}

#[test]
fn a_batch_of_one_is_run_one_by_one_and_said() {
    for name in ["single.onnx", "baked.onnx"] {
        let (_folder, path) = placed(name, SIDECAR);
        let mut model = load(&path);
        assert!(model.description().one_at_a_time, "{name}");
        let images = [halves(0.0, 1.0), halves(0.5, 0.25)];
        assert_eq!(embed(&mut model, &images), [[0.0, 1.0], [0.5, 0.25]], "{name}");
    }
}

#[test]
fn unit_embeddings_are_made_where_the_card_says_so() {
    let (_folder, path) =
        placed("plain.onnx", "input = 4\ncolour = \"grey\"\nembedding = \"unit\"");
    assert_eq!(embed(&mut load(&path), &[halves(0.0, 0.7)]), [[0.0, 1.0]]);
}

#[test]
fn an_output_that_is_not_finite_spoils_its_own_image_alone() {
    let (_folder, path) = placed("log.onnx", SIDECAR);
    let embedded = load(&path).embed(&[halves(1.0, 1.0), halves(0.0, 1.0)]).expect("a run");
    assert!(embedded[0].is_ok());
    assert!(embedded[1].is_err(), "the logarithm of black is no number");
}

#[tokio::test]
async fn an_output_that_is_not_finite_is_an_error_and_no_verdict() {
    let (_folder, path) = placed("log.onnx", "input = 4\ncolour = \"grey\"\nmargin = 2");
    let app = App::of(load(&path));
    let [black, white] = [0, 255].map(|it| [b"P5 1 1 255\n", &[it][..]].concat());
    app.form("/compare", &[("a", &white), ("b", &white)]).await.ok();
    app.form("/compare", &[("a", &white), ("b", &black)]).await.refused(500, "internal");
}

#[tokio::test]
async fn half_the_margin_rules_where_no_threshold_is_stated() {
    let (_folder, path) = placed("plain.onnx", "input = 4\ncolour = \"grey\"\nmargin = 2");
    let white = b"P5 1 1 255\n\xff";
    let answer = App::of(load(&path)).form("/compare", &[("a", white), ("b", white)]).await.ok();
    let answer = answer.json();
    assert_eq!((answer["threshold"].as_f64(), answer["margin"].as_f64()), (Some(1.0), Some(2.0)));
    assert_eq!(answer["operating_point"]["source"], "margin");
    assert!(answer.get("probability").is_none());
}

#[tokio::test]
async fn without_threshold_and_margin_a_request_must_name_one() {
    let (_folder, path) = placed("plain.onnx", SIDECAR);
    let app = App::of(load(&path));
    let white = &b"P5 1 1 255\n\xff"[..];
    let parts = [("a", white), ("b", white)];
    app.form("/compare", &parts).await.refused(422, "operating_point_unsupported");
    app.form("/compare?fmr=0.1", &parts).await.refused(422, "operating_point_unsupported");
    let answer = app.form("/compare?threshold=0.5", &parts).await.ok().json();
    assert_eq!(answer["verdict"], "same");
    assert!(answer.get("margin").is_none());
}

#[test]
fn a_model_with_neither_metadata_nor_sidecar_is_told_what_to_write() {
    refused("plain.onnx", "", &["plain.toml", "input = ", "colour = "]);
}

#[test]
fn a_sidecar_that_cannot_be_is_refused_by_its_key() {
    refused("plain.onnx", "input = 4", &["plain.toml", "`colour`"]);
    refused("plain.onnx", "input = 4\ncolour = \"grey\"\nmean = [1, 2]", &["`mean`"]);
    refused("plain.onnx", "input = 4\ncolour = \"grey\"\nsize = 3", &["`size`", "not a known key"]);
    refused("plain.onnx", "input = ", &["plain.toml", "not valid TOML"]);
}

#[test]
fn a_description_that_does_not_fit_the_network_is_refused() {
    refused("plain.onnx", "input = 5\ncolour = \"grey\"", &["[n, 1, 5, 5]"]);
    refused("plain.onnx", "input = 4\ncolour = \"rgb\"", &["[n, 3, 4, 4]"]);
}

#[test]
fn golden_pairs_are_held_at_load() {
    let golden = |distance: f64| {
        let [black, white] =
            [0, 255].map(|it| crate::app::base64(&[b"P5 1 1 255\n", &[it][..]].concat()));
        format!(
            "{SIDECAR}golden = '{{\"tolerance\":1e-3,\"images\":[\"{black}\",\"{white}\"],\
             \"pairs\":[{{\"a\":0,\"b\":1,\"distance\":{distance}}}]}}'"
        )
    };
    let (_folder, path) = placed("plain.onnx", &golden(2_f64.sqrt()));
    load(&path);
    refused("plain.onnx", &golden(1.4), &["golden", "1.414", "must be 1.4"]);
    refused("plain.onnx", &golden(-1.0), &["golden", "malformed"]);
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("noise.onnx");
    fs::write(&path, [0xff; 64]).expect("written");
    assert!(said(&path).contains("not an ONNX model"));
    assert!(said(&folder.path().join("missing.onnx")).contains("can't be read"));
}

#[test]
fn a_distance_does_not_depend_on_its_batch() {
    let mut model = load(&shipped());
    let [mut images, others] =
        [&["s1_1.jpg", "s5_1.jpg"][..], &["s1_2.jpg", "s9_1.jpg"]].map(|names| {
            let preprocess = |name: &&str| {
                model
                    .card()
                    .preprocessing
                    .preprocess(&face(name), &Limits::default())
                    .expect("pixels")
            };
            names.iter().map(preprocess).collect::<Vec<Pixels>>()
        });
    let distance = |model: &mut OnnxModel, images: &[Pixels]| {
        let embedded = model.embed(images).expect("a run");
        let [a, b] = [&embedded[0], &embedded[1]].map(|it| it.as_ref().expect("finite"));
        a.distance(b).get()
    };
    let alone = distance(&mut model, &images);
    for size in 3..=32 {
        images.push(others[size % 2].clone());
        let together = distance(&mut model, &images);
        assert!(
            (together / alone - 1.0).abs() < 1e-5,
            "{together} and {alone} in a batch of {size}"
        );
    }
    let one_by_one =
        Options { device: Device::Cpu, max_batch: NonZeroUsize::MIN, ..Options::default() };
    let mut one_by_one = OnnxModel::load(&shipped(), &one_by_one).expect("a model");
    let alone = distance(&mut one_by_one, &images);
    let together = distance(&mut model, &images);
    assert!((together / alone - 1.0).abs() < 1e-5, "{together} and {alone} one by one");
}
