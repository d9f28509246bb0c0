//! The routes for clients of `OpenAI`.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, TestResponse, base64, face, post};

fn uri(name: &str) -> String {
    format!("data:image/jpeg;base64,{}", base64(&face(name)))
}

pub(crate) fn numbers(values: &Value) -> Vec<f32> {
    serde_json::from_value(values.clone()).expect("numbers")
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (words, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    words.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Checks that the response is an error in the form of `OpenAI`'s. Returns the faulty parameter.
#[track_caller]
fn openai_error(response: &TestResponse, status: u16, code: &str) -> Option<String> {
    assert_eq!(response.header("content-type"), "application/json", "{response:?}");
    assert_eq!(response.header("x-request-id").len(), 32);
    let body = response.json();
    let error = &body["error"];
    assert_eq!((response.status.as_u16(), &error["code"]), (status, &json!(code)), "{error}");
    let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
    assert_eq!(error["type"], kind);
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    error["param"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn openai_gets_the_embeddings_of_embed() {
    let app = App::start();
    let images = [SAME[0], OTHER].map(|name| base64(&face(name)));
    let ours = app.json("/embed", &json!({"images": images})).await.ok().json();
    let inputs = json!([uri(SAME[0]), {"image": images[1]}]);
    let body = json!({"input": inputs, "model": app.model.card.name, "user": "somebody"});
    let theirs = app.json("/v1/embeddings", &body).await.ok().json();
    assert_eq!(theirs["object"], "list");
    assert_eq!(theirs["model"], app.model.card.name);
    assert_eq!(theirs["usage"], json!({"prompt_tokens": 0, "total_tokens": 0}));
    for index in [0, 1] {
        let item = &theirs["data"][index];
        assert_eq!((&item["object"], &item["index"]), (&json!("embedding"), &json!(index)));
        assert_eq!(item["embedding"], ours["results"][index]["embedding"]);
    }
}

#[tokio::test]
async fn openai_gets_base64_on_request() {
    let app = App::start();
    let mut body = json!({"input": uri(SAME[0]), "model": null, "dimensions": null});
    body["encoding_format"] = json!("float");
    let as_numbers = app.json("/v1/embeddings", &body).await.ok().json();
    body["encoding_format"] = json!("base64");
    body["dimensions"] = json!(app.model.width);
    body["model"] = json!(app.model.digest);
    let as_base64 = app.json("/v1/embeddings", &body).await.ok().json();
    let text = as_base64["data"][0]["embedding"].as_str().expect("text").to_owned();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
    assert_eq!(from_bytes(&bytes.expect("base64")), numbers(&as_numbers["data"][0]["embedding"]));
}

#[tokio::test]
async fn openai_may_send_an_image_in_each_form() {
    let app = App::start();
    let (uri, text) = (uri(SAME[0]), base64(&face(SAME[0])));
    let forms = [
        json!(text),
        json!(uri),
        json!({"image": text}),
        json!({"image": uri}),
        json!({"image_url": uri}),
        json!({"type": "image_url", "image_url": uri}),
        json!({"type": "image_url", "image_url": {"url": uri, "detail": "auto"}}),
    ];
    let expected = app.json("/v1/embeddings", &json!({"input": uri})).await.ok().json();
    for form in &forms {
        let alone = app.json("/v1/embeddings", &json!({"input": form})).await.ok().json();
        assert_eq!(alone, expected, "{form}");
    }
    let all = app.json("/v1/embeddings", &json!({"input": forms})).await.ok().json();
    for (index, item) in all["data"].as_array().expect("a list").iter().enumerate() {
        assert_eq!(item["index"], index);
        assert_eq!(item["embedding"], expected["data"][0]["embedding"]);
    }
}

#[tokio::test]
async fn openai_gets_errors_in_its_form() {
    let app = App::with(|settings| settings.server.max_images = 2.try_into().expect("not 0"));
    let image = base64(&face(SAME[0]));
    let too_many = json!([image, image, image]);
    let not_an_image = json!({"type": "text", "image_url": image});
    for (body, status, code, param) in [
        (json!({}), 400, "part_missing", Some("input")),
        (json!([]), 400, "body_malformed", None),
        (json!({"input": null}), 400, "body_malformed", Some("input")),
        (json!({"input": 7}), 400, "body_malformed", Some("input")),
        (json!({"input": [1, 2]}), 400, "body_malformed", Some("input[0]")),
        (json!({"input": [[image]]}), 400, "body_malformed", Some("input[0]")),
        (json!({"input": []}), 422, "batch_too_large", Some("input")),
        (json!({"input": too_many}), 422, "batch_too_large", Some("input")),
        (json!({"input": ""}), 422, "image_empty", Some("input")),
        (json!({"input": [image, ""]}), 422, "image_empty", Some("input[1]")),
        (json!({"input": [image, "aGVsbG8="]}), 415, "image_format_unsupported", Some("input[1]")),
        (json!({"input": "a red car"}), 422, "base64_invalid", Some("input")),
        (json!({"input": [{}]}), 400, "part_missing", Some("input[0].image")),
        (json!({"input": {"text": "a"}}), 400, "part_unexpected", Some("input.text")),
        (json!({"input": {"image": 1}}), 400, "body_malformed", Some("input.image")),
        (
            json!({"input": {"image": image, "image_url": image}}),
            400,
            "body_malformed",
            Some("input"),
        ),
        (json!({"input": [not_an_image]}), 400, "body_malformed", Some("input[0].type")),
        (json!({"input": {"image_url": {}}}), 400, "part_missing", Some("input.image_url.url")),
        (json!({"input": {"image_url": 1}}), 400, "body_malformed", Some("input.image_url")),
        (json!({"input": {"embedding": [1]}}), 400, "part_unexpected", Some("input.embedding")),
        (json!({"input": image, "model": "other"}), 404, "model_not_found", Some("model")),
        (json!({"input": image, "model": 1}), 400, "body_malformed", Some("model")),
        (json!({"input": image, "dimensions": 3}), 400, "body_malformed", Some("dimensions")),
        (json!({"input": image, "dimensions": -1}), 400, "body_malformed", Some("dimensions")),
        (
            json!({"input": image, "encoding_format": "hex"}),
            400,
            "body_malformed",
            Some("encoding_format"),
        ),
        (json!({"input": image, "stream": true}), 400, "part_unexpected", Some("stream")),
    ] {
        let response = app.json("/v1/embeddings", &body).await;
        let found = openai_error(&response, status, code);
        assert_eq!(found.as_deref(), param, "{code}: {}", response.json());
    }
    let body = json!({"input": [{"image_url": {"url": "https://example.com/a.jpg"}}]});
    let response = app.json("/v1/embeddings", &body).await;
    let field = openai_error(&response, 422, "base64_invalid");
    assert_eq!(field.as_deref(), Some("input[0].image_url.url"));
    let message = response.json()["error"]["message"].to_string();
    assert!(message.contains("it is a URL, and the server fetches nothing"), "{message}");
}

#[tokio::test]
async fn openai_gets_every_refusal_in_its_form() {
    let app = App::with(|settings| settings.server.max_body_bytes = 100.try_into().expect("not 0"));
    let path = "/v1/embeddings";
    openai_error(&app.post(path, "application/json", "{").await, 400, "body_malformed");
    openai_error(&app.post(path, "image/png", "").await, 415, "media_type_unsupported");
    openai_error(&app.post(path, "application/json", vec![b' '; 101]).await, 413, "body_too_large");
    openai_error(&app.json("/v1/embeddings?a=b", &json!({})).await, 400, "query_invalid");
    let response = app.get(path).await;
    openai_error(&response, 405, "method_not_allowed");
    assert_eq!(response.header("allow"), "POST");
    openai_error(&app.get("/v1/completions").await, 404, "not_found");
    openai_error(&app.get("/v1/models/other").await, 404, "model_not_found");
    openai_error(&app.get("/v1/models/%ff").await, 404, "not_found");
    // Other paths keep problem details.
    app.get("/v10/models").await.refused(404, "not_found");

    let full = App::with(|settings| settings.server.max_in_flight = 1.try_into().expect("not 0"));
    let request = post("/v1/embeddings", "application/json").header("x-request-timeout-ms", "0");
    let body = json!({"input": uri(SAME[0])}).to_string();
    let response = full.send(request.body(Body::from(body)).expect("a request")).await;
    openai_error(&response, 504, "deadline_exceeded");
}

#[tokio::test]
async fn openai_lists_the_model_in_service() {
    let app = App::start();
    let all = app.get("/v1/models").await.ok().json();
    let one = app.get(&format!("/v1/models/{}", app.model.card.name)).await.ok().json();
    assert_eq!(all, json!({"object": "list", "data": [one]}));
    assert_eq!(one["id"], app.model.card.name);
    assert_eq!(one["object"], "model");
    let digest = app.model.digest.replace(':', "%3A");
    assert_eq!(app.get(&format!("/v1/models/{digest}")).await.ok().json(), one);
}

/// A service with a key.
pub(crate) fn locked(key: &str) -> App {
    App::with(|settings| {
        settings.auth.keys = Some(serde_json::from_value(json!([key])).expect("keys"));
    })
}

#[tokio::test]
async fn openai_sends_the_key_as_other_clients_do() {
    const KEY: &str = "a-key-of-openai-0123456789";
    let app = locked(KEY);
    let ask = |key: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().expect("a value"));
        let mut request = Request::get("/v1/models").body(Body::empty()).expect("a request");
        *request.headers_mut() = headers;
        app.send(request)
    };
    ask(KEY).await.ok();
    let response = ask("another-key-0123456789").await;
    openai_error(&response, 401, "invalid_api_key");
    assert_eq!(response.header("www-authenticate"), "Bearer");
    openai_error(&app.json("/v1/embeddings", &json!({})).await, 401, "invalid_api_key");
}
