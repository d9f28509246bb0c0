//! Foreign models: which are accepted, and the error messages of the others.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use siamese_core::model::{Device, Model, OnnxModel, Options, rewrite};
use siamese_core::preprocessing::{Limits, Pixels};
use tempfile::TempDir;

use crate::app::{App, face, fixture, load, root, shipped};
use crate::networks::{self, Reading};

const SIDECAR: &str = "input = 4\ncolour = \"grey\"\n";

/// A generated model in its own folder, with a sidecar.
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
    embedded
        .into_iter()
        .map(|embedding| embedding.expect("finite").coordinates().to_vec())
        .collect()
}

fn load_error(path: &Path) -> String {
    let options = Options { device: Device::Cpu, ..Options::default() };
    match OnnxModel::load(path, &options) {
        Ok(_) => panic!("{} was loaded", path.display()),
        Err(err) => siamese_core::causes(&err),
    }
}

/// The line of a sidecar with a golden pair of two uniform images, and their distance.
fn golden(greys: [u8; 2], distance: f64) -> String {
    let [a, b] = greys.map(|grey| crate::app::base64(&[b"P5 1 1 255\n", &[grey][..]].concat()));
    format!(
        "golden = '{{\"tolerance\":1e-3,\"images\":[\"{a}\",\"{b}\"],\
         \"pairs\":[{{\"a\":0,\"b\":1,\"distance\":{distance}}}]}}'"
    )
}

#[track_caller]
fn refused(model: &str, sidecar: &str, words: &[&str]) {
    let (_folder, path) = placed(model, sidecar);
    let error = load_error(&path);
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn a_foreign_model_works_with_a_sidecar() {
    let (_folder, path) = placed("plain.onnx", SIDECAR);
    let mut model = load(&path);
    let images = [halves(0.0, 1.0), halves(0.25, 0.5), halves(1.0, 1.0)];
    let expected = [[0.0, 1.0], [0.25, 0.5], [1.0, 1.0]];
    assert_eq!(embed(&mut model, &images), expected);
    assert_eq!(model.card().name, "plain");
    assert!(!model.description().one_at_a_time);
}

#[test]
fn a_model_with_batch_size_one_runs_one_by_one_and_reports_it() {
    for name in ["single.onnx", "baked.onnx"] {
        let (_folder, path) = placed(name, SIDECAR);
        let mut model = load(&path);
        assert!(model.description().one_at_a_time, "{name}");
        let images = [halves(0.0, 1.0), halves(0.5, 0.25)];
        assert_eq!(embed(&mut model, &images), [[0.0, 1.0], [0.5, 0.25]], "{name}");
    }
}

/// All ways to read images but the usual one.
fn other_readings() -> impl Iterator<Item = Reading> {
    (1..8_u8).map(|bits| Reading {
        bytes: bits & 1 != 0,
        channels_last: bits & 2 != 0,
        any_size: bits & 4 != 0,
    })
}

#[test]
fn a_network_may_read_bytes_and_have_its_channels_last() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("network.onnx");
    let onnx = fs::read(root().join("models/faces.onnx")).expect("a model");
    let usual = load(&root().join("models/faces.onnx"));
    let [with_bytes, with_scale] = [true, false].map(|bytes| {
        let mut card = usual.card().clone();
        if bytes {
            let preprocessing = &mut card.preprocessing;
            (preprocessing.scale, preprocessing.mean, preprocessing.std) =
                (1.0, vec![0.0], vec![1.0]);
            card.golden = None;
        }
        let onnx = rewrite(&onnx, &card.to_metadata()).expect("ONNX");
        fs::write(&path, &onnx).expect("written");
        let mut model = load(&path);
        let names = ["s1_1.jpg", "s5_1.jpg", "s5_2.jpg"];
        let images = names.map(|name| {
            card.preprocessing.preprocess(&face(name), &Limits::default()).expect("pixels")
        });
        let expected = [embed(&mut model, &images[..1]), embed(&mut model, &images)].concat();
        (onnx, images, expected)
    });
    for reading in other_readings() {
        let (onnx, images, expected) = if reading.bytes { &with_bytes } else { &with_scale };
        fs::write(&path, reading.by(onnx, [3, 150, 150])).expect("written");
        let mut model = load(&path);
        assert!(!model.description().one_at_a_time, "{reading:?}");
        let found = [embed(&mut model, &images[..1]), embed(&mut model, images)].concat();
        assert!(found == *expected, "{reading:?}");
    }
}

#[test]
fn an_input_that_does_not_fit_its_card_is_told_with_both_layouts() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("network.onnx");
    let place = |reading: Reading, image: [u8; 3], sidecar: &str| {
        fs::write(&path, reading.by(&networks::pixels(), image)).expect("written");
        fs::write(path.with_extension("toml"), sidecar).expect("written");
    };
    let last = Reading { channels_last: true, ..Reading::default() };
    place(last, [3, 5, 4], "input = 4\ncolour = \"rgb\"\n");
    let error = load_error(&path);
    assert!(error.contains("[-1, 5, 4, 3]") && error.contains("[n, 4, 4, 3]"), "{error}");
    let bytes = Reading { bytes: true, ..Reading::default() };
    place(bytes, [1, 4, 4], SIDECAR);
    let error = load_error(&path);
    assert!(error.contains("its input is bytes (u8)") && error.contains("scale to 1"), "{error}");
    place(bytes, [1, 4, 4], &format!("{SIDECAR}scale = 1\n"));
    let image = Pixels::new((0_u8..16).map(|number| 17.0 * f32::from(number)).collect());
    assert_eq!(embed(&mut load(&path), std::slice::from_ref(&image)), [image.values()]);
}

#[test]
fn unit_embeddings_are_normalised_if_the_card_says_so() {
    let (_folder, path) =
        placed("plain.onnx", "input = 4\ncolour = \"grey\"\nembedding = \"unit\"");
    assert_eq!(embed(&mut load(&path), &[halves(0.0, 0.7)]), [[0.0, 1.0]]);
}

#[test]
fn a_non_finite_output_affects_only_its_own_image() {
    let (_folder, path) = placed("log.onnx", SIDECAR);
    let embedded = load(&path).embed(&[halves(1.0, 1.0), halves(0.0, 1.0)]).expect("a run");
    assert!(embedded[0].is_ok());
    assert!(embedded[1].is_err(), "the logarithm of black is no number");
}

#[tokio::test]
async fn a_non_finite_output_is_an_error_and_not_a_verdict() {
    let (_folder, path) = placed("log.onnx", "input = 4\ncolour = \"grey\"\nmargin = 2");
    let app = App::of(load(&path));
    let [black, white] = [0, 255].map(|grey| [b"P5 1 1 255\n", &[grey][..]].concat());
    app.form("/compare", &[("a", &white), ("b", &white)]).await.ok();
    app.form("/compare", &[("a", &white), ("b", &black)]).await.refused(500, "internal");
}

#[tokio::test]
async fn without_a_threshold_half_the_margin_applies() {
    let (_folder, path) = placed("plain.onnx", "input = 4\ncolour = \"grey\"\nmargin = 2");
    let white = b"P5 1 1 255\n\xff";
    let response = App::of(load(&path)).form("/compare", &[("a", white), ("b", white)]).await.ok();
    let response = response.json();
    assert_eq!(
        (response["threshold"].as_f64(), response["margin"].as_f64()),
        (Some(1.0), Some(2.0))
    );
    assert_eq!(response["operating_point"]["source"], "margin");
    assert!(response.get("probability").is_none());
}

#[tokio::test]
async fn a_threshold_without_a_calibration_comes_from_the_card() {
    let (_folder, path) = placed("plain.onnx", "input = 4\ncolour = \"grey\"\nthreshold = 0.5");
    let white = b"P5 1 1 255\n\xff";
    let app = App::of(load(&path));
    let compared = app.form("/compare", &[("a", white), ("b", white)]).await.ok().json();
    let card = app.get("/model").await.ok().json();
    for point in [&compared["operating_point"], &card["in_force"]["operating_point"]] {
        assert_eq!(*point, serde_json::json!({"source": "card"}));
    }
}

#[tokio::test]
async fn without_threshold_and_margin_a_request_must_give_a_threshold() {
    let (_folder, path) = placed("plain.onnx", SIDECAR);
    let app = App::of(load(&path));
    let white = &b"P5 1 1 255\n\xff"[..];
    let parts = [("a", white), ("b", white)];
    app.form("/compare", &parts).await.refused(422, "operating_point_unsupported");
    app.form("/compare?fmr=0.1", &parts).await.refused(422, "operating_point_unsupported");
    let response = app.form("/compare?threshold=0.5", &parts).await.ok().json();
    assert_eq!(response["verdict"], "same");
    assert!(response.get("margin").is_none());
}

#[test]
fn a_model_without_metadata_and_sidecar_gets_a_hint() {
    refused("plain.onnx", "", &["plain.toml", "input = ", "colour = "]);
}

#[test]
fn an_invalid_sidecar_is_rejected_by_its_key() {
    refused("plain.onnx", "input = 4", &["plain.toml", "`colour`"]);
    refused("plain.onnx", "input = 4\ncolour = \"grey\"\nmean = [1, 2]", &["`mean`"]);
    refused("plain.onnx", "input = 4\ncolour = \"grey\"\nsize = 3", &["`size`", "not a known key"]);
    refused("plain.onnx", "input = ", &["plain.toml", "not valid TOML"]);
}

#[test]
fn a_sidecar_that_does_not_fit_the_model_is_rejected() {
    refused("plain.onnx", "input = 5\ncolour = \"grey\"", &["[n, 1, 5, 5]"]);
    refused("plain.onnx", "input = 4\ncolour = \"rgb\"", &["[n, 3, 4, 4]"]);
}

#[test]
fn a_network_whose_output_is_no_embedding_is_told_as_what_it_is() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("network.onnx");
    let unit = format!("{SIDECAR}embedding = \"unit\"\n");
    for (network, sidecar, words) in [
        (networks::not_a_number(), SIDECAR, "NaN or infinite"),
        (networks::classes(), SIDECAR, "if these are classes, export the layer before them"),
        (networks::score(false), SIDECAR, "one number for each image, such as a score"),
        (networks::score(true), &unit, "one number for each image, which is always 1 or -1"),
    ] {
        fs::write(&path, network).expect("written");
        fs::write(path.with_extension("toml"), sidecar).expect("written");
        let error = load_error(&path);
        assert!(error.contains(words) && error.contains("network.onnx can't be used"), "{error}");
    }
    fs::write(&path, networks::pixels()).expect("written");
    load(&path);
}

#[test]
fn a_mean_of_bytes_needs_their_scale() {
    let card = |lines: &str| format!("{SIDECAR}{lines}\n");
    for lines in ["mean = [123.675]\nstd = [58.4]", "mean = -2", "mean = 300\nscale = 1"] {
        refused("plain.onnx", &card(lines), &["`mean`", "set scale to 1", "divide both by 255"]);
    }
    for lines in ["mean = [123.675]\nstd = [58.4]\nscale = 1", "mean = 1", "mean = -1"] {
        let (_folder, path) = placed("plain.onnx", &card(lines));
        load(&path);
    }
}

#[test]
fn weights_are_read_only_in_the_folder_of_the_model() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["models/weights", "cache"] {
        fs::create_dir_all(at(name)).expect("a folder");
    }
    let bytes: Vec<u8> = (0_u8..32).flat_map(|number| f32::from(number).to_le_bytes()).collect();
    for name in ["models/weights/inside", "outside", "cache/blob"] {
        fs::write(at(name), &bytes).expect("written");
    }
    symlink("weights/inside", at("models/link")).expect("a link");
    symlink("../outside", at("models/escape")).expect("a link");
    let place = |location: &str| {
        fs::write(at("models/m.onnx"), networks::external(location)).expect("written");
        fs::write(at("models/m.toml"), SIDECAR).expect("written");
        at("models/m.onnx")
    };
    for location in ["weights/inside", "./weights/inside", "link"] {
        load(&place(location));
    }
    for (location, words) in [
        ("escape", "models/escape can't be read: it is a link that leads outside"),
        ("../outside", "it is outside the model's folder"),
        ("/etc/hostname", "it is outside the model's folder"),
        ("missing", "models/missing can't be read"),
        ("", "models/m.onnx can't be read: the model gives no file name"),
    ] {
        let error = load_error(&place(location));
        assert!(error.contains(words), "{location}: {error}");
    }
    // A cache of models: links from names to the files beside each other.
    fs::rename(place("blob"), at("cache/network")).expect("moved");
    symlink("../cache/network", at("models/m.onnx")).expect("a link");
    symlink("../cache/blob", at("models/blob")).expect("a link");
    load(&at("models/m.onnx"));
}

#[test]
fn golden_pairs_are_checked_at_load() {
    let golden = |distance: f64| format!("{SIDECAR}{}", golden([0, 255], distance));
    let (_folder, path) = placed("plain.onnx", &golden(2_f64.sqrt()));
    load(&path);
    refused("plain.onnx", &golden(1.4), &["golden", "1.414", "must be 1.4"]);
    refused("plain.onnx", &golden(-1.0), &["golden", "malformed"]);
}

#[test]
fn a_model_that_maps_everything_to_one_point_is_refused() {
    // A scale that rounds every byte away makes the input constant, and with it the embedding.
    let constant = format!("{SIDECAR}scale = 1e-12\nmean = -1");
    // Almost constant, and with golden pairs that agree.
    let almost = format!("{SIDECAR}scale = 1e-9\nmean = -1");
    for sidecar in [&constant, &almost, &format!("{constant}\n{}", golden([0, 255], 0.0))] {
        refused("plain.onnx", sidecar, &["plain.onnx", "the same embedding", "scale, mean"]);
    }
    // Small differences that are not rounding are honest, and so are equal golden images.
    let (_folder, path) = placed("plain.onnx", &format!("{SIDECAR}scale = 1e-6\nmean = -1"));
    load(&path);
    let (_folder, path) = placed("plain.onnx", &format!("{SIDECAR}{}", golden([0, 0], 0.0)));
    load(&path);
}

#[test]
fn a_file_that_is_not_a_model_is_rejected() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("noise.onnx");
    fs::write(&path, [0xff; 64]).expect("written");
    assert!(load_error(&path).contains("not an ONNX model"));
    assert!(load_error(&folder.path().join("missing.onnx")).contains("can't be read"));
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
        let [a, b] =
            [&embedded[0], &embedded[1]].map(|embedding| embedding.as_ref().expect("finite"));
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
