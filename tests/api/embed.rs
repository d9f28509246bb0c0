//! `POST /embed`.

use axum::body::Body;
use axum::http::header;
use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, base64, face, post};

fn numbers(embedding: &Value) -> Vec<f32> {
    serde_json::from_value(embedding.clone()).expect("numbers")
}

#[tokio::test]
async fn every_body_type_gives_the_same_embedding() {
    let app = App::start();
    let image = face(SAME[0]);
    let raw = app.post("/embed", "image/jpeg", image.clone()).await.ok().json();
    assert_eq!(numbers(&raw["embedding"]).len(), app.model.width);
    assert_eq!(raw["model"]["digest"], app.model.digest);
    let untyped = app.post("/embed", "application/octet-stream", image.clone()).await;
    let form = app.form("/embed", &[("image", &image)]).await;
    let json = app.json("/embed", &json!({"image": base64(&image)})).await;
    for response in [untyped, form, json] {
        assert_eq!(response.ok().json(), raw);
    }
}

#[tokio::test]
async fn raw_numbers_are_sent_on_request() {
    let app = App::start();
    let as_json = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let request = post("/embed", "image/jpeg")
        .header(header::ACCEPT, "application/octet-stream")
        .body(Body::from(face(SAME[0])))
        .expect("a request");
    let response = app.send(request).await.ok();
    assert_eq!(response.header("content-type"), "application/octet-stream");
    assert_eq!(response.header("siamese-model-digest"), app.model.digest);
    let (words, rest) = response.body.as_chunks();
    let bare: Vec<f32> = words.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!((bare, rest.len()), (numbers(&as_json["embedding"]), 0));
}

#[tokio::test]
async fn a_bad_image_fails_alone() {
    let app = App::start();
    let (good, other) = (face(SAME[0]), face(OTHER));
    let alone = app.post("/embed", "image/jpeg", good.clone()).await.ok().json();
    let by_form = app
        .form("/embed", &[("image", &good), ("image", b"no image"), ("image", &other)])
        .await
        .ok()
        .json();
    let images = json!([base64(&good), {"image": base64(b"no image")}, base64(&other)]);
    let by_json = app.json("/embed", &json!({"images": images})).await.ok().json();
    assert_eq!(by_form, by_json);
    let results = by_form["results"].as_array().expect("results");
    let deviation = numbers(&results[0]["embedding"])
        .iter()
        .zip(numbers(&alone["embedding"]))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(deviation < 1e-5, "an embedding does not depend on its batch: {deviation}");
    assert_eq!(results[1]["error"]["code"], "image_format_unsupported");
    assert_eq!(results[1]["error"]["field"], "images[1]");
    assert_eq!(numbers(&results[2]["embedding"]).len(), app.model.width);
}

#[tokio::test]
async fn a_malformed_item_fails_alone_too() {
    let app = App::start();
    let images = json!(["%%%", base64(&face(SAME[0])), {"embedding": [1, 2]}]);
    let response = app.json("/embed", &json!({"images": images})).await.ok().json();
    assert_eq!(response["results"][0]["error"]["code"], "base64_invalid");
    assert!(response["results"][1]["embedding"].is_array());
    assert_eq!(response["results"][2]["error"]["code"], "embedding_invalid");
}

#[tokio::test]
async fn a_request_has_a_limit_of_images() {
    let app = App::with(|settings| settings.server.max_images = 2.try_into().expect("not 0"));
    let image = base64(&face(SAME[0]));
    let three = app.json("/embed", &json!({"images": [image, image, image]})).await;
    assert_eq!(three.refused(422, "batch_too_large").as_deref(), Some("images"));
    app.json("/embed", &json!({"images": []})).await.refused(422, "batch_too_large");
}

#[tokio::test]
async fn a_cached_image_is_not_embedded_again() {
    let app = App::start();
    let first = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok();
    let second = app.form("/embed", &[("image", &face(SAME[0]))]).await.ok();
    assert_eq!(first.json(), second.json());
    assert!(!first.header("server-timing").contains("model;dur=0.000"));
    assert!(!first.header("server-timing").contains("cache"));
    assert!(second.header("server-timing").contains("model;dur=0.000"));
    assert!(second.header("server-timing").starts_with("cache;desc=\"1\", "));
    let text = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    for line in [
        r#"siamese_cache_lookups_total{model="orl",outcome="hit"} 1"#,
        r#"siamese_cache_lookups_total{model="orl",outcome="miss"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn crossed_pairs_do_not_deadlock() {
    let app = App::start();
    let (a, b) = (base64(&face(SAME[0])), base64(&face(OTHER)));
    let (one, other) = (json!({"a": a, "b": b}), json!({"a": b, "b": a}));
    let twice = json!({"a": a, "b": a});
    let responses = futures_util::future::join_all(
        [&one, &other, &one, &other, &twice].map(|body| app.json("/compare", body)),
    )
    .await;
    let distances: Vec<_> =
        responses.into_iter().map(|response| response.ok().json()["distance"].clone()).collect();
    assert!(distances[..4].iter().all(|distance| *distance == distances[0]), "{distances:?}");
    assert_eq!(distances[4], 0.0);
}

#[tokio::test]
async fn without_cache_memory_nothing_is_cached() {
    let app = App::with(|settings| settings.cache.max_bytes = 0);
    for _ in 0..2 {
        let response = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok();
        assert!(!response.header("server-timing").contains("model;dur=0.000"));
    }
}
