//! Several models in one server: their paths, their limits, and their reload.

use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};

use serde_json::{Value, json};
use siamese::engine::batch::Batcher;
use siamese_core::model::{Description, Embedded, LoadError, Model, ModelError};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;
use tempfile::TempDir;

use crate::app::{App, SAME, at_most, base64, face, fixture, root, shared};
use crate::server::Server;

/// A model that waits in each run until the test allows it, and whose embeddings have one number.
struct Gated(mpsc::Receiver<()>, f32);

impl Model for Gated {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let _ = self.0.recv();
        Ok(vec![Embedding::new([self.1]); images.len()])
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

/// A model of one number for the images of the shipped one. It runs once for each message.
fn gated(digest: &str, number: f32) -> (mpsc::Sender<()>, Batcher, Arc<Description>) {
    let (gate, opened) = mpsc::channel();
    let card = &shared().1;
    let described = Description { digest: digest.to_owned(), width: 1, ..(**card).clone() };
    let batcher = Batcher::start(vec![Gated(opened, number)], at_most(4), 1, |_| ());
    (gate, batcher, Arc::new(described))
}

/// The small model, and one that is always ready to run.
fn two() -> App {
    let (gate, batcher, other) = gated("sha256:other", 0.5);
    drop(gate);
    let (shared, model) = shared();
    App::several(vec![("small", shared.clone(), model.clone()), ("other", batcher, other)], |_| ())
}

fn digest(response: &Value) -> &str {
    response["model"]["digest"].as_str().expect("a digest")
}

#[tokio::test]
async fn each_model_has_its_own_paths_and_the_first_has_those_without_a_name() {
    let app = two();
    let first = shared().1.digest.as_str();
    let image = json!({"image": base64(&face(SAME[0]))});
    for (path, expected) in [
        ("/embed", first),
        ("/models/small/embed", first),
        ("/models/other/embed", "sha256:other"),
        ("/models/sha256:other/embed", "sha256:other"),
    ] {
        let response = app.json(path, &image).await.ok().json();
        assert_eq!(digest(&response), expected, "{path}");
    }
    let pair = json!({"a": base64(&face(SAME[0])), "b": base64(&face(SAME[1]))});
    let response = app.json("/models/other/compare", &pair).await.ok().json();
    assert_eq!((digest(&response), &response["distance"]), ("sha256:other", &json!(0.0)));
    let card = app.get("/models/other").await.ok().json();
    assert_eq!(card["digest"], "sha256:other");

    let list = app.get("/models").await.ok().json();
    let models = list["models"].as_array().expect("a list");
    let names: Vec<&Value> = models.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["small", "other"]);
    assert!(models.iter().all(|model| model["ready"] == true), "{list}");
    let purpose = models[0]["purpose"].as_str().expect("a purpose");
    assert!(purpose.contains("face"), "{purpose}");
    // Whole images can be compared place by place, though the card has no threshold for that.
    let of_changes = ["aligns_faces", "calibrated_for_changes"].map(|field| &models[0][field]);
    assert_eq!(of_changes, [&json!(false), &json!(false)]);
    assert_eq!((&models[1]["width"], digest(&models[1])), (&json!(1), "sha256:other"));
}

#[tokio::test]
async fn an_unknown_model_is_refused_with_the_names_of_the_others() {
    let app = two();
    let image = json!({"image": base64(&face(SAME[0]))});
    for path in ["/models/mine/embed", "/models/mine/compare", "/models/SMALL/embed"] {
        let response = app.json(path, &image).await;
        response.refused(404, "model_unknown");
        let detail = response.json()["detail"].clone();
        assert!(detail.as_str().expect("text").ends_with("small, other"), "{detail}");
    }
    app.get("/models/mine").await.refused(404, "model_unknown");
    app.get("/models/small/nothing").await.refused(404, "not_found");
}

#[tokio::test]
async fn clients_of_other_services_choose_a_model_by_its_name() {
    let app = two();
    let image = base64(&face(SAME[0]));
    for (model, width) in
        [(json!("other"), 1), (json!("small"), shared().1.width), (json!(null), shared().1.width)]
    {
        let body = json!({"input": image, "model": model});
        let response = app.json("/v1/embeddings", &body).await.ok().json();
        let embedding = response["data"][0]["embedding"].as_array().expect("numbers");
        assert_eq!(embedding.len(), width, "{model}");
    }
    let body = json!({"inputs": [
        {"name": "image", "datatype": "BYTES", "shape": [1], "data": [image]}
    ]});
    let response = app.json("/v2/models/other/infer", &body).await.ok().json();
    assert_eq!(response["model_name"], "other");
    assert_eq!(response["outputs"][0]["data"], json!([0.5]));
    let version = app.get("/v2/models/other/versions/1").await;
    assert_eq!(version.status, 404);
    let error = version.json()["error"].clone();
    assert!(error.as_str().expect("text").contains("no version \"1\""), "{error}");
    let list = app.get("/v1/models").await.ok().json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn a_model_that_is_full_refuses_only_its_own_requests() {
    let (gate, batcher, busy) = gated("sha256:busy", 0.5);
    let (shared, model) = shared();
    let app = App::several(
        vec![("small", shared.clone(), model.clone()), ("busy", batcher, busy)],
        |settings| {
            settings.server.max_in_flight = at_most(8);
            settings.cache.max_bytes = 0;
        },
    );
    let image = |number: u8| json!({"image": base64(&[b"P5 1 1 255\n", &[number][..]].concat())});
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for number in 0..8 {
        let (router, image) = (app.clone(), image(number));
        let mut request = Box::pin(async move { router.json("/models/busy/embed", &image).await });
        tokio::select! {
            biased;
            response = &mut request => {
                response.refused(503, "overloaded");
                refused += 1;
            }
            () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {
                waiting.push(request);
            }
        }
    }
    assert!(0 < refused && 3 <= waiting.len(), "{refused} refused, {} wait", waiting.len());
    for number in 0..8 {
        app.json("/models/small/embed", &image(number)).await.ok();
    }
    drop(gate);
    for request in waiting {
        request.await.ok();
    }
}

/// A settings file that names these models, and one that has changed meanwhile.
fn list(file: &Path, models: &[(&str, &Path)]) {
    let entry = |(name, path): &(&str, &Path)| {
        format!("[[models]]\nname = \"{name}\"\nfile = \"{}\"\n", path.display())
    };
    fs::write(file, models.iter().map(entry).collect::<String>()).expect("written");
}

#[test]
fn models_are_added_and_removed_at_sighup() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("settings.toml");
    let [orl, characters] =
        ["orl", "characters"].map(|name| root().join(format!("models/{name}.onnx")));
    let broken = fixture("images/photo.jpg");
    list(&file, &[("small", &orl)]);
    let mut server = Server::serving(&["--config", file.to_str().expect("text")], &[]);
    let names = |server: &Server| {
        let list = server.get_json("/models");
        let models = list["models"].as_array().expect("a list");
        models
            .iter()
            .map(|model| model["name"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&server), ["small"]);

    list(&file, &[("letters", &characters), ("small", &orl)]);
    server.signal("HUP");
    server.event("model", "small");
    assert_eq!(names(&server), ["letters", "small"]);
    assert_eq!(server.get_json("/model")["name"], "characters");

    // A model that can't be loaded takes nothing away, and a list that can't be read changes nothing.
    list(&file, &[("letters", &broken), ("other", &broken), ("small", &orl)]);
    server.signal("HUP");
    server.event("model", "small");
    assert_eq!(names(&server), ["letters", "small"]);
    fs::write(&file, "[[models]]\nname = 1").expect("written");
    server.signal("HUP");
    server.line_with("cannot read the list of models");
    assert_eq!(names(&server), ["letters", "small"]);
    // Another first model would give other verdicts.
    list(&file, &[("other", &broken), ("small", &orl)]);
    server.signal("HUP");
    server.line_with("cannot load the new model");
    assert_eq!(names(&server), ["letters", "small"]);
    fs::write(&file, "").expect("written");
    server.signal("HUP");
    server.line_with("the settings name no model any more");
    assert_eq!(names(&server), ["letters", "small"]);
    server.until_metrics_contain("siamese_reloads_total{item=\"models\",outcome=\"failed\"} 4");

    list(&file, &[("small", &orl)]);
    server.signal("HUP");
    server.line_with("the model is no longer served");
    assert_eq!(names(&server), ["small"]);
    let metrics = server.get("/metrics");
    assert!(!metrics.contains("letters"), "{metrics}");
    assert!(metrics.contains("siamese_model_ready{model=\"small\"} 1"), "{metrics}");
}

#[test]
fn several_models_are_named_on_the_command_line() {
    let orl = root().join("models/orl.onnx");
    let (first, second) = (format!("a={}", orl.display()), orl.display().to_string());
    let server = Server::serving(&["--model", &first, "--model", &second], &[]);
    let list = server.get_json("/models");
    assert_eq!(list["models"][0]["name"], "a");
    assert_eq!(list["models"][1]["name"], "orl");
}
