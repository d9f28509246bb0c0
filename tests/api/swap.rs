//! Hot swap: another model replaces the one in service.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use serde_json::Value;
use siamese_core::model::{Description, Embedded, LoadError, Model, ModelError, rewrite};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;
use tempfile::TempDir;

use crate::app::{App, SAME, face, fixture, form, load, shared, shipped};
use crate::patience::eventually;
use crate::server::{Server, connect};

/// The model before the swap. It waits for the test in each run.
struct Old(mpsc::Receiver<()>);

impl Model for Old {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let _ = self.0.recv();
        Ok(vec![Embedding::new([0.0]); images.len()])
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_model() {
    let (gate, opened) = mpsc::channel();
    let old = Description { digest: "sha256:old".to_owned(), ..(*shared().1).clone() };
    let app = App::with_model_and_settings(Old(opened), Arc::new(old), 8, |settings| {
        settings.model.file = Some(shipped());
        settings.model.sessions = 1;
    });
    let digest =
        |response: Value| response["model"]["digest"].as_str().expect("a digest").to_owned();
    let mut first = pin!(app.compare());
    tokio::select! {
        _ = first.as_mut() => panic!("the gate is closed"),
        swapped = app.swap() => drop(swapped.expect("another model")),
    }

    let second = app.compare().await.ok().json();
    assert_eq!(second["verdict"], "same");
    assert_eq!(digest(second), shared().1.digest);
    assert_eq!(app.get("/model").await.ok().json()["digest"], shared().1.digest);

    gate.send(()).expect("the old model");
    assert_eq!(digest(first.await.ok().json()), "sha256:old");
    // Its thread ends when no request uses it any more.
    eventually("the old model ends", async || gate.send(()).is_err()).await;
}

/// The files of two models that give different embeddings.
fn models() -> [Vec<u8>; 2] {
    let entries = [("name", "halves"), ("input", "4"), ("colour", "grey"), ("threshold", "0.1")];
    let entries = entries.map(|(key, value)| (format!("siamese.{key}"), value.to_owned()));
    let made = fs::read(fixture("models/plain.onnx")).expect("a model");
    [fs::read(shipped()).expect("a model"), rewrite(&made, &entries).expect("a model")]
}

/// The file of a model that maps everything to one point, because its preprocessing rounds every byte away.
fn constant() -> Vec<u8> {
    let entries = [("input", "4"), ("colour", "grey"), ("scale", "1e-12"), ("mean", "-1")];
    let entries = entries.map(|(key, value)| (format!("siamese.{key}"), value.to_owned()));
    let made = fs::read(fixture("models/plain.onnx")).expect("a model");
    rewrite(&made, &entries).expect("a model")
}

/// Replaces a file atomically, as a deployment should.
fn put(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, bytes).expect("written");
    fs::rename(&fresh, path).expect("renamed");
}

/// Compares one pair repeatedly on one connection. Returns the distances by model.
fn compare_until(done: &AtomicBool, listen: SocketAddr) -> BTreeMap<String, Vec<f64>> {
    let mut stream = connect(listen);
    let mut distances = BTreeMap::<String, Vec<f64>>::new();
    let mut at = 0_u32;
    while !done.load(Ordering::Relaxed) {
        // Every second pair has unique bytes, so no cache has it: decoders ignore bytes after an image.
        let beside = if at.is_multiple_of(2) { vec![] } else { at.to_le_bytes().to_vec() };
        let [a, b] = SAME.map(|name| [face(name), beside.clone()].concat());
        at += 1;
        let (media, body) = form(&[("a", &a), ("b", &b)]);
        let length = body.len();
        let head = format!(
            "POST /compare HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).expect("sent");
        let response = read(&mut stream);
        let digest = response["model"]["digest"].as_str().unwrap_or_else(|| panic!("{response}"));
        let distance = response["distance"].as_f64().expect("a distance");
        distances.entry(digest.to_owned()).or_default().push(distance);
    }
    distances
}

/// A response with a length, on a keep-alive connection.
fn read(stream: &mut TcpStream) -> Value {
    let mut read = Vec::new();
    let mut block = [0; 4096];
    loop {
        let came = stream.read(&mut block).expect("a response");
        assert_ne!(came, 0, "it broke off: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&block[..came]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.and_then(|text| text.parse().ok()) == Some(body.len()) {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            return serde_json::from_str(body).expect("JSON");
        }
    }
}

#[test]
fn a_swap_under_load_fails_no_request_and_splits_no_pair() {
    let folder = TempDir::new().expect("a folder");
    let model = folder.path().join("model.onnx");
    let models = models();
    put(&model, &models[0]);
    let path = model.to_str().expect("text");
    let mut server = Server::with(&[("SIAMESE_MODEL__FILE", path)]);
    let (done, listen) = (Arc::new(AtomicBool::new(false)), server.listen);
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let done = done.clone();
            thread::spawn(move || compare_until(&done, listen))
        })
        .collect();
    for next in [1, 0, 1, 0, 1] {
        put(&model, &models[next]);
        server.signal("HUP");
        server.line_with("the new model is in service");
    }
    done.store(true, Ordering::Relaxed);

    let mut all = BTreeMap::<String, Vec<f64>>::new();
    for client in clients {
        for (digest, distances) in client.join().expect("no request failed") {
            all.entry(digest).or_default().extend(distances);
        }
    }
    assert_eq!(all.len(), 2, "both models answered");
    let mut means = Vec::new();
    for (digest, distances) in &all {
        let mean = distances.iter().sum::<f64>() / distances.iter().map(|_| 1.0).sum::<f64>();
        let apart = distances.iter().map(|distance| (distance - mean).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-5, "{digest} gave distances that are {apart} apart");
        means.push(mean);
    }
    assert!(1e-3 < (means[0] - means[1]).abs(), "the models can't be told apart: {means:?}");
    assert!(
        server.get("/metrics").contains(r#"siamese_swaps_total{model="model",outcome="ok"} 5"#)
    );
}

#[test]
fn a_failed_swap_keeps_the_old_model() {
    let folder = TempDir::new().expect("a folder");
    let model = folder.path().join("model.onnx");
    put(&model, &models()[0]);
    let path = model.to_str().expect("text");
    let mut server = Server::with(&[("SIAMESE_MODEL__FILE", path)]);
    for bytes in [b"no model".to_vec(), constant()] {
        put(&model, &bytes);
        server.signal("HUP");
        server.line_with("cannot load the new model");
    }
    assert!(server.get("/model").contains(&shared().1.digest));
    assert!(server.get("/readyz").starts_with("HTTP/1.1 200"));
    assert!(
        server.get("/metrics").contains(r#"siamese_swaps_total{model="model",outcome="failed"} 2"#)
    );
}

#[test]
fn a_watched_file_is_swapped_in_when_it_changes() {
    let folder = TempDir::new().expect("a folder");
    let model = folder.path().join("model.onnx");
    let models = models();
    put(&model, &models[1]);
    let path = model.to_str().expect("text");
    let watched = [("SIAMESE_MODEL__FILE", path), ("SIAMESE_MODEL__WATCH_MS", "20")];
    let mut server = Server::with(&watched);
    put(&model, &models[0]);
    server.line_with("the new model is in service");
    assert!(server.get("/model").contains(&shared().1.digest));
}

/// A generated model as two models: the second has half the weights of the first.
fn halved() -> [Vec<u8>; 2] {
    let made = fs::read(fixture("models/plain.onnx")).expect("a model");
    let mut other = made.clone();
    let (weight, half) = (0.125_f32.to_le_bytes(), 0.0625_f32.to_le_bytes());
    for at in 0..other.len() - 3 {
        if other[at..at + 4] == weight {
            other[at..at + 4].copy_from_slice(&half);
        }
    }
    let entries = [("input", "4"), ("colour", "grey"), ("scale", "1"), ("threshold", "1")];
    let entries = entries.map(|(key, value)| (format!("siamese.{key}"), value.to_owned()));
    [made, other].map(|onnx| rewrite(&onnx, &entries).expect("a model"))
}

#[tokio::test]
async fn every_response_has_the_digest_of_the_model_that_made_it() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.onnx");
    let models = halved();
    let mut distances = BTreeMap::new();
    for (model, distance) in models.iter().zip([255.0, 127.5]) {
        put(&path, model);
        distances.insert(load(&path).description().digest.clone(), distance);
    }
    let (model, digest) = (load(&path), shared().1.digest.clone());
    let description = Arc::new(Description { digest, ..(**model.description()).clone() });
    let app = App::with_model_and_settings(model, description, 8, |settings| {
        settings.model.file = Some(path.clone());
        settings.model.sessions = 2;
        settings.model.threads = 1;
        settings.model.max_batch = 1;
        settings.cache.max_bytes = 0;
    });
    let done = Arc::new(AtomicBool::new(false));
    let renames = thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::Relaxed) {
                for model in &models {
                    put(&path, model);
                }
            }
        }
    });
    let row = |right: u8| [0, 0, right, right].repeat(4);
    let [black, half] = [0, 255].map(|right| [b"P5 4 4 255\n", &row(right)[..]].concat());
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..24 {
        app.swap().await.expect("another model");
        // Enough requests that each session has run.
        for _ in 0..8 {
            let response = app.form("/compare", &[("a", &black), ("b", &half)]).await.ok().json();
            let digest = response["model"]["digest"].as_str().expect("a digest");
            assert_eq!(response["distance"].as_f64(), Some(distances[digest]), "{response}");
            *seen.entry(digest.to_owned()).or_default() += 1;
        }
    }
    done.store(true, Ordering::Relaxed);
    renames.join().expect("no panic");
    assert_eq!(seen.values().sum::<u32>(), 24 * 8);
}

#[tokio::test]
async fn a_read_timeout_keeps_the_model_in_service() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.onnx");
    put(&path, &halved()[0]);
    let model = load(&path);
    let description = model.description().clone();
    let app = App::with_model_and_settings(model, description, 8, |settings| {
        settings.model.file = Some(path.clone());
        settings.model.read_timeout_ms = 1.try_into().expect("not 0");
    });
    // No machine reads and hashes this many zeros in that time.
    fs::File::create(&path).and_then(|file| file.set_len(128 << 20)).expect("written");
    let err = app.swap().await.err().expect("it takes longer");
    let error = siamese_core::causes(&err);
    assert!(error.contains("was not read within 1 ms"), "{error}");
    app.compare().await.ok();
}

#[tokio::test]
async fn metrics_cover_the_model_in_service_and_the_three_before_it() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.onnx");
    let made = fs::read(fixture("models/plain.onnx")).expect("a model");
    let put_model = |number: usize| {
        let provenance = number.to_string();
        let entries = [
            ("input", "4"),
            ("colour", "grey"),
            ("threshold", "1"),
            ("provenance", provenance.as_str()),
        ];
        let entries = entries.map(|(key, value)| (format!("siamese.{key}"), value.to_owned()));
        put(&path, &rewrite(&made, &entries).expect("a model"));
    };
    put_model(0);
    let model = load(&path);
    let mut digests = vec![model.description().digest.clone()];
    let description = model.description().clone();
    let app = App::with_model_and_settings(model, description, 8, |settings| {
        settings.model.file = Some(path.clone());
        settings.model.sessions = 1;
    });
    for number in 1..=6 {
        put_model(number);
        let deployment = app.swap().await.expect("another model");
        digests.push(deployment.model.digest.clone());
        app.form("/compare", &[("a", b"P5 1 1 255\n\0"), ("b", b"P5 1 1 255\n\0")]).await.ok();
    }
    let scrape = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    for metric in ["siamese_verdicts_total", "siamese_distance_count", "siamese_threshold_gap_sum"]
    {
        let exported: Vec<bool> = digests
            .iter()
            .map(|digest| {
                let is_of = |line: &str| line.starts_with(metric) && line.contains(digest.as_str());
                scrape.lines().any(is_of)
            })
            .collect();
        assert_eq!(exported, [false, false, false, true, true, true, true], "{metric}");
    }
    // A model that returns is counted from zero.
    put_model(0);
    app.swap().await.expect("another model");
    let scrape = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    let digest = &digests[0];
    let line = format!("siamese_verdicts_total{{verdict=\"same\",digest=\"{digest}\"}} 0");
    assert!(scrape.contains(&line), "{line} is not in: {scrape}");
}
