//! The digest covers everything that determines an embedding, and a model is read at one point in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};
use siamese_core::model::{Device, Model, OnnxModel, Options};
use siamese_core::preprocessing::Limits;
use tempfile::TempDir;

use crate::app::{App, SAME, face, fixture, load, shipped};
use crate::server::{Server, refuses_to_start};
use crate::waits::TEST_TIMEOUT;
use crate::waits::process::output;

const SIDECAR: &str =
    "input = \"64x64\"\ncolour = \"rgb\"\nthreshold = 1.0\nembedding = \"unit\"\n";

/// A model with a sidecar, whose weights are in another file, as `external.onnx` names it.
struct Foreign {
    folder: TempDir,
}

impl Foreign {
    fn new(seed: u64) -> Self {
        Self::of("external.onnx", "model.onnx.data", seed)
    }

    fn of(model: &str, weights: &str, seed: u64) -> Self {
        let foreign = Self { folder: TempDir::new().expect("a folder") };
        fs::copy(fixture("models").join(model), foreign.path()).expect("copied");
        foreign.write_sidecar(SIDECAR);
        foreign.put_weights(weights, seed);
        foreign
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn write_sidecar(&self, text: &str) {
        fs::write(self.path().with_extension("toml"), text).expect("written");
    }

    /// Replaces the weights atomically.
    fn put_weights(&self, name: &str, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let weights: Vec<u8> =
            (0..12_288 / 4).flat_map(|_| (random.f32() - 0.5).to_le_bytes()).collect();
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, weights).expect("written");
        fs::rename(&fresh, &path).expect("renamed");
    }

    fn digest(&self) -> String {
        load(&self.path()).description().digest.clone()
    }

    fn embedding(&self) -> Vec<f32> {
        let mut model = load(&self.path());
        let preprocessing = &model.card().preprocessing;
        let pixels = preprocessing.preprocess(&face(SAME[0]), &Limits::default()).expect("pixels");
        let embedded = model.embed(&[pixels]).expect("a run").remove(0);
        embedded.expect("an embedding").coordinates().to_vec()
    }
}

fn load_error(path: &Path) -> String {
    let options = Options { device: Device::Cpu, ..Options::default() };
    let err = OnnxModel::load(path, &options).err().expect("no model");
    siamese_core::causes(&err)
}

fn make_pipe(path: &Path) {
    assert!(output(TEST_TIMEOUT, Command::new("mkfifo").arg(path)).status.success());
}

#[test]
fn a_model_in_one_file_has_the_digest_of_that_file() {
    let bytes = fs::read(shipped()).expect("a model");
    let digest = Sha256::digest(&bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(load(&shipped()).description().digest, digest);
}

#[tokio::test]
async fn other_weights_give_another_digest() {
    let [one, other] = [1, 2].map(Foreign::new);
    assert_ne!(one.digest(), other.digest());
    assert_eq!(one.digest(), Foreign::new(1).digest());

    let made = App::of(load(&one.path()));
    let embedded = made.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let stored = json!({"embedding": embedded["embedding"], "digest": embedded["model"]["digest"]});
    let pair = json!({"a": stored, "b": stored});
    made.json("/compare", &pair).await.ok();
    App::of(load(&other.path())).json("/compare", &pair).await.refused(409, "model_mismatch");
}

#[test]
fn sidecar_keys_that_change_embeddings_change_the_digest() {
    let foreign = Foreign::new(1);
    let digest = foreign.digest();
    for (sidecar, is_same) in [
        (SIDECAR.replace("1.0", "0.7"), true),
        (format!("name = \"other\"\n{SIDECAR}"), true),
        (format!("{SIDECAR}mean = 0.0\nfit = \"stretch\"\nstd = [1, 1, 1]\n"), true),
        (format!("{SIDECAR}mean = 0.5\n"), false),
        (format!("{SIDECAR}std = [1, 1, 0.5]\n"), false),
        (format!("{SIDECAR}fit = \"pad\"\n"), false),
        (format!("{SIDECAR}scale = 1.0\n"), false),
        (SIDECAR.replace("unit", "as-is"), false),
    ] {
        foreign.write_sidecar(&sidecar);
        assert_eq!(foreign.digest() == digest, is_same, "{sidecar}");
    }
}

#[test]
fn weights_are_found_in_the_model_s_folder_and_below_it() {
    let expected = Foreign::new(1).embedding();
    for (model, weights) in [
        ("external-dot.onnx", "dot.data"),
        ("external-folder.onnx", "weights/sub.data"),
        ("external-attribute.onnx", "constattr.data"),
    ] {
        let foreign = Foreign::of(model, weights, 1);
        assert_eq!(foreign.embedding(), expected, "{model}");
        foreign.put_weights(weights, 2);
        assert_ne!(foreign.embedding(), expected, "{model}");
    }
}

#[test]
fn unreadable_weights_are_named() {
    let foreign = Foreign::new(1);
    let weights = foreign.folder.path().join("model.onnx.data");
    fs::write(&weights, [0; 100]).expect("written");
    assert!(load_error(&foreign.path()).contains("shorter than the model states"));
    fs::remove_file(&weights).expect("removed");
    let missing = load_error(&foreign.path());
    assert!(missing.contains("model.onnx.data can't be read"), "{missing}");
    make_pipe(&weights);
    assert!(load_error(&foreign.path()).contains("not a regular file"));

    // A file outside of the model's folder is not even opened.
    let onnx = fs::read(foreign.path()).expect("a model");
    let at = onnx.windows(10).position(|window| window == b"model.onnx").expect("a name");
    fs::write(foreign.path(), [&onnx[..at], b"../er.onnx", &onnx[at + 10..]].concat())
        .expect("written");
    let outside = load_error(&foreign.path());
    assert!(outside.contains("outside the model's folder"), "{outside}");
}

#[test]
fn a_pipe_is_rejected_as_a_model_without_blocking() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.onnx");
    make_pipe(&path);
    let path = path.to_str().expect("text");
    refuses_to_start(&[("SIAMESE_MODEL__FILE", path)], "not a regular file");
}

#[test]
fn every_file_of_the_model_is_watched() {
    let foreign = Foreign::new(1);
    let first = foreign.digest();
    let path = foreign.path();
    let path = path.to_str().expect("text");
    let mut server =
        Server::with(&[("SIAMESE_MODEL__FILE", path), ("SIAMESE_MODEL__WATCH_MS", "20")]);
    let mut next = |message: &str| server.event("message", message);
    foreign.put_weights("model.onnx.data", 2);
    let second = next("the new model is in service")["digest"].clone();
    assert_ne!(second, *first);

    // Missing weights are noticed when they appear.
    let weights = foreign.folder.path().join("model.onnx.data");
    fs::remove_file(&weights).expect("removed");
    next("cannot load the new model; what was in service remains");
    foreign.put_weights("model.onnx.data", 1);
    assert_eq!(next("the new model is in service")["digest"], *first);

    foreign.write_sidecar(&format!("{SIDECAR}mean = 0.5\n"));
    let third = next("the new model is in service")["digest"].clone();
    assert!(third != *first && third != second, "{third}");
}
