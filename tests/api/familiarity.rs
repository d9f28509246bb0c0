//! Whether images are like those of the calibration.

use serde_json::{Value, json};
use siamese_core::model::{OnnxModel, Options, Source, rewrite};
use siamese_core::score::UNFAMILIAR;

use crate::app::{App, SAME, base64, face, fixture, load, root, shipped};

/// A photograph of another kind than the portraits that the model was calibrated on.
fn stranger() -> Vec<u8> {
    std::fs::read(fixture("images/reduced-orientation-6.jpg")).expect("a photograph")
}

fn familiarity(of: &Value) -> f64 {
    of["familiarity"].as_f64().expect("a familiarity")
}

#[tokio::test]
async fn each_image_of_a_pair_has_its_familiarity_and_a_stranger_a_warning() {
    let app = App::start();
    let (known, stranger) = (face(SAME[0]), stranger());
    let response = app.form("/compare", &[("a", &known), ("b", &stranger)]).await.ok().json();
    assert!(UNFAMILIAR < familiarity(&response["a"]), "{response}");
    assert!(familiarity(&response["a"]) <= 1.0);
    assert!(familiarity(&response["b"]) < UNFAMILIAR, "{response}");
    let warnings = response["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1);
    assert_eq!((&warnings[0]["code"], &warnings[0]["field"]), (&json!("unfamiliar"), &json!("b")));

    // From the cache: the same.
    let again = app.form("/compare", &[("a", &known), ("b", &stranger)]).await.ok().json();
    assert_eq!(again, response);
    let of_two = app.compare().await.ok().json();
    assert!(of_two.get("warnings").is_none(), "{of_two}");
}

#[tokio::test]
async fn embeddings_have_a_familiarity_and_stored_ones_have_none() {
    let app = App::start();
    let one = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let known = familiarity(&one);
    let images = json!({"images": [base64(&face(SAME[0])), base64(&stranger()), {"embedding": one["embedding"]}]});
    let several = app.json("/embed", &images).await.ok().json();
    let results = several["results"].as_array().expect("results");
    assert!((familiarity(&results[0]) - known).abs() < 1e-12);
    assert_eq!(results[1]["warnings"][0]["field"], "images[1]");
    // A stored embedding has no pixels, and half of the measurements are those of pixels.
    assert!(results[2].get("familiarity").is_none(), "{several}");

    let pairs = json!({"a": base64(&face(SAME[0])), "b": [base64(&stranger()), {"embedding": one["embedding"]}]});
    let batch = app.json("/compare/batch", &pairs).await.ok().json();
    assert!(familiarity(&batch["results"][0]["b"]) < UNFAMILIAR, "{batch}");
    assert!(batch["results"][1].get("b").is_none(), "{batch}");
}

#[tokio::test]
async fn metrics_count_images_by_familiarity_and_the_stream_raises_the_gauge() {
    let app = App::start();
    let digest = &app.model.digest;
    let count = format!("siamese_unfamiliar_images_total{{digest=\"{digest}\"}}");
    app.until_metric(&format!("{count} 0")).await;
    app.until_metric("siamese_familiarity_drift{model=\"orl\"} 0.0").await;

    let (known, stranger) = (face(SAME[0]), stranger());
    for _ in 0..3 {
        app.form("/compare", &[("a", &known), ("b", &stranger)]).await.ok();
    }
    // Cached images count again, but they are no new evidence.
    app.until_metric(&format!("{count} 3")).await;
    app.until_metric(&format!("siamese_familiarity_count{{digest=\"{digest}\"}} 6")).await;
    let before = drift(&app).await;
    assert!(0.0 < before && before < 0.2, "{before}");

    // Distinct images of another kind: the comment makes the bytes of each one its own.
    for portion in 0..30 {
        let other =
            |at: u32| [b"P5\n# ", at.to_string().as_bytes(), b"\n2 2\n255\n\xff\0\0\xff"].concat();
        let images: Vec<_> = (0..6).map(|at| base64(&other(6 * portion + at))).collect();
        app.json("/embed", &json!({"images": images})).await.ok();
    }
    assert!(1.0 <= drift(&app).await);
}

async fn drift(app: &App) -> f64 {
    let text = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("siamese_familiarity_drift{model=\"orl\"} "));
    line.expect("the gauge").parse().expect("a number")
}

#[tokio::test]
async fn a_model_without_a_description_says_so_and_warns_of_nothing() {
    let source = Source::read(&shipped()).expect("a model");
    let mut card = load(&shipped()).card().clone();
    let described = card.familiarity.take().expect("the shipped model has a description");
    let onnx = rewrite(source.onnx(), &card.to_metadata()).expect("a model");
    let source = Source::of("without.onnx".as_ref(), onnx).expect("a model");
    let app = App::of(OnnxModel::open(&source, &Options::default()).expect("a model"));

    let stranger = stranger();
    let response = app.form("/compare", &[("a", &stranger), ("b", &stranger)]).await.ok().json();
    assert!(response.get("a").is_none() && response.get("warnings").is_none(), "{response}");
    assert!(app.get("/model").await.ok().json()["familiarity"].is_null());

    let shown = App::start().get("/model").await.ok().json();
    assert_eq!(shown["familiarity"]["images"], described.images());
    assert_eq!(shown["familiarity"]["unfamiliar_below"], UNFAMILIAR);
}

#[test]
fn a_description_of_another_model_is_refused() {
    let characters = load(&root().join("models/characters.onnx"));
    let mut card = load(&shipped()).card().clone();
    card.familiarity.clone_from(&characters.card().familiarity);
    let source = Source::read(&shipped()).expect("a model");
    let onnx = rewrite(source.onnx(), &card.to_metadata()).expect("a model");
    let source = Source::of("mixed.onnx".as_ref(), onnx).expect("a model");
    let Err(refusal) = OnnxModel::open(&source, &Options::default()) else { panic!("it loads") };
    let why = siamese_core::causes(&refusal);
    assert!(why.contains("calibrate it again"), "{why}");
}
