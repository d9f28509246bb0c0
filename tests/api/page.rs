//! The page, and the routes that only it uses.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::app::{App, SAME, TestResponse, base64, face, post};

fn text(response: &TestResponse) -> String {
    String::from_utf8(response.body.clone()).expect("text")
}

/// The files that a file of the page names, as absolute paths or relative to itself.
fn named(by: &str, text: &str) -> Vec<String> {
    let folder: Vec<&str> = by.split('/').rev().skip(1).collect();
    let folder: Vec<&str> = folder.into_iter().rev().collect();
    let files = text.split(['"', '\'']).filter(|text| !text.contains("${"));
    files
        .filter_map(|text| {
            if let Some(absolute) = text.strip_prefix("/page/") {
                return Some(absolute.to_owned());
            }
            let ups = text.matches("../").count();
            let file = text.trim_start_matches("../").trim_start_matches("./");
            let is_relative = text.starts_with("./") || text.starts_with("../");
            let outer = folder.get(..folder.len().checked_sub(ups)?)?;
            is_relative.then(|| [outer, &[file]].concat().join("/"))
        })
        .collect()
}

#[tokio::test]
async fn every_file_of_the_page_is_served_with_its_type() {
    let app = App::start();
    let index = app.get("/").await.ok();
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert!(index.header("content-security-policy").starts_with("default-src 'none'"));
    let mut found = named("", &text(&index));
    let mut at = 0;
    while at < found.len() {
        let name = &found[at];
        let file = app.get(&format!("/page/{name}")).await.ok();
        let kind = match name.rsplit_once('.').expect("an ending").1 {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            other => panic!("{other} is served as nothing known"),
        };
        assert_eq!(file.header("content-type"), kind);
        let more = if kind == "text/javascript" { named(name, &text(&file)) } else { Vec::new() };
        found.extend(more.into_iter().filter(|text| !found.contains(text)).collect::<Vec<_>>());
        at += 1;
    }
    assert!(found.len() >= 17, "{found:?}");
}

#[tokio::test]
async fn a_file_in_the_browser_cache_is_not_sent_again() {
    let app = App::start();
    let first = app.get("/page/app.js").await.ok();
    assert_eq!(first.header("cache-control"), "no-cache");
    let tag = first.header("etag").to_owned();
    for (known, expected) in [
        (tag.clone(), StatusCode::NOT_MODIFIED),
        (format!("\"other\", W/{tag}"), StatusCode::NOT_MODIFIED),
        ("\"other\"".to_owned(), StatusCode::OK),
    ] {
        let request = Request::get("/page/app.js").header("if-none-match", known);
        let response = app.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status, expected);
        assert_eq!(response.body.is_empty(), expected == StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn the_page_needs_no_key_but_its_requests_do() {
    let app = App::with(|settings| {
        let keys = serde_json::from_value(["a-key-0123456789"].into());
        settings.auth.keys = Some(keys.expect("a key"));
    });
    app.get("/").await.ok();
    app.get("/page/style.css").await.ok();
    app.post("/pixels", "image/jpeg", face(SAME[0])).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn unknown_files_of_the_page_are_not_found() {
    let app = App::start();
    for path in ["/page/", "/page/nothing.js", "/page/../Cargo.toml", "/page/mod.rs", "/page"] {
        app.get(path).await.refused(404, "not_found");
    }
    app.post("/", "text/html", "").await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn the_page_can_be_turned_off() {
    let app = App::with(|settings| settings.server.page = false);
    for path in ["/", "/page/app.js"] {
        app.get(path).await.refused(404, "not_found");
    }
    app.post("/pixels", "image/jpeg", face(SAME[0])).await.ok();
}

#[tokio::test]
async fn pixels_are_an_image_of_the_models_input_size() {
    let app = App::start();
    let [_, height, width] = app.model.card.preprocessing.shape();
    let upload = face(SAME[0]);
    let as_json = json!({"image": base64(&upload)});
    for response in [
        app.post("/pixels", "image/jpeg", upload.clone()).await.ok(),
        app.json("/pixels", &as_json).await.ok(),
        app.form("/pixels", &[("image", &upload)]).await.ok(),
    ] {
        assert_eq!(response.header("content-type"), "image/png");
        let shown = image::load_from_memory(&response.body).expect("a PNG").to_luma8();
        assert_eq!((shown.height() as usize, shown.width() as usize), (height, width));
        let preprocessing = &app.model.card.preprocessing;
        let limits = app.service.settings().image.limits();
        let read = preprocessing.preprocess(&upload, &limits).expect("pixels");
        let levels = shown.as_raw().iter().map(|byte| f32::from(*byte) * preprocessing.scale);
        assert!(levels.zip(read.values()).all(|(shown, read)| (shown - read).abs() < 1e-6));
    }
}

#[tokio::test]
async fn pixels_need_exactly_one_valid_image() {
    let app = App::start();
    let upload = face(SAME[0]);
    let image = base64(&upload);
    let refused = app.post("/pixels", "image/png", "no image").await;
    refused.refused(415, "image_format_unsupported");
    let several = app.json("/pixels", &json!({"images": [image, image]})).await;
    several.refused(422, "batch_too_large");
    let stored = app.json("/pixels", &json!({"image": {"embedding": [0.5]}})).await;
    stored.refused(400, "body_malformed");
    let request = post("/pixels", "image/jpeg").header("accept", "application/json");
    app.send(request.body(upload.into()).expect("a request")).await.refused(406, "not_acceptable");
}
