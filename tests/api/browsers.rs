//! Headers for browsers: cross-origin requests, and protection of responses.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::app::{App, SAME, TestResponse, face, form, post};

const OURS: &str = "https://ours.example";

/// A service with a key, and one allowed origin.
fn with_allowed_origin() -> App {
    App::with(|settings| {
        settings.cors.origins = serde_json::from_value([OURS].into()).expect("an origin");
        let keys = serde_json::from_value(["a-key-0123456789"].into());
        settings.auth.keys = Some(keys.expect("a key"));
    })
}

async fn preflight(app: &App, origin: &str) -> TestResponse {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/compare")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    app.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn other_origins_are_not_allowed_by_default() {
    let app = App::start();
    let response = preflight(&app, OURS).await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let app = with_allowed_origin();
    let response = preflight(&app, OURS).await.ok();
    assert_eq!(response.header("access-control-allow-origin"), OURS);
    assert!(response.header("access-control-allow-methods").contains("POST"));
    let headers = response.header("access-control-allow-headers");
    assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
    let others = preflight(&app, "https://others.example").await;
    assert_eq!(others.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn an_allowed_origin_may_read_responses_and_errors() {
    let app = with_allowed_origin();
    let (media, body) = form(&[("a", &face(SAME[0])), ("b", &face(SAME[1]))]);
    let request = || post("/compare", &media).header("origin", OURS);
    let with_key = request().header("authorization", "Bearer a-key-0123456789");
    let response = app.send(with_key.body(Body::from(body)).expect("a request")).await.ok();
    let exposed = response.header("access-control-expose-headers");
    for name in
        ["x-request-id", "server-timing", "siamese-model-digest", "siamese-shape", "retry-after"]
    {
        assert!(exposed.contains(name), "{exposed}");
    }
    let refused = app.send(request().body(Body::empty()).expect("a request")).await;
    refused.refused(401, "unauthorized");
    for response in [&response, &refused] {
        assert_eq!(response.header("access-control-allow-origin"), OURS);
        assert_eq!(response.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn every_response_forbids_sniffing_and_storing() {
    let app = App::start();
    let compared = app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await;
    for response in [compared.ok(), app.get("/livez").await, app.get("/nowhere").await] {
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("cache-control"), "no-store");
        assert_eq!(response.header("content-security-policy"), "");
    }
}
