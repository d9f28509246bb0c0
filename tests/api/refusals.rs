//! Every kind of rejected request.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::app::{App, SAME, at_most, base64, face, form, post};

async fn compared(parts: &[(&str, &[u8])], status: u16, code: &str) -> Option<String> {
    App::start().form("/compare", parts).await.refused(status, code)
}

#[tokio::test]
async fn a_form_has_exactly_its_two_parts() {
    let image = face(SAME[0]);
    let image = image.as_slice();
    assert_eq!(compared(&[("a", image)], 400, "part_missing").await.as_deref(), Some("b"));
    assert_eq!(compared(&[], 400, "part_missing").await.as_deref(), Some("a"));
    let odd = [("a", image), ("b", image), ("c", image)];
    assert_eq!(compared(&odd, 400, "part_unexpected").await.as_deref(), Some("c"));
    let twice = [("a", image), ("a", image)];
    assert_eq!(compared(&twice, 400, "part_repeated").await.as_deref(), Some("a"));
}

#[tokio::test]
async fn the_faulty_image_is_named() {
    let good = face(SAME[0]);
    let good = good.as_slice();
    for (bad, status, code) in [
        (&b""[..], 422, "image_empty"),
        (b"GIF is no image", 415, "image_format_unsupported"),
        (&good[..good.len() / 2], 422, "image_corrupt"),
        (&huge_png(), 413, "image_too_large"),
    ] {
        assert_eq!(compared(&[("a", good), ("b", bad)], status, code).await.as_deref(), Some("b"));
        assert_eq!(compared(&[("a", bad), ("b", good)], status, code).await.as_deref(), Some("a"));
    }
}

/// A header that claims 30,000 x 30,000 pixels, and the first bytes of the data.
fn huge_png() -> Vec<u8> {
    let side = 30_000_u32.to_be_bytes();
    let mut header = [&b"IHDR"[..], &side, &side, &[8, 2, 0, 0, 0]].concat();
    let checksum = crc32(&header);
    header.extend_from_slice(&checksum.to_be_bytes());
    let pixels = [&1000_u32.to_be_bytes()[..], b"IDAT", &[0; 16]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &13_u32.to_be_bytes(), &header, &pixels].concat()
}

/// The checksum of a PNG chunk (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[tokio::test]
async fn the_faulty_member_of_json_is_named() {
    let app = App::start();
    let image = base64(&face(SAME[0]));
    let width = app.model.width;
    let zeros = vec![0.0; width];
    let cases: [(Value, u16, &str, Option<&str>); 10] = [
        (json!([]), 400, "body_malformed", None),
        (json!({"a": image}), 400, "part_missing", Some("b")),
        (json!({"a": image, "b": image, "c": 1}), 400, "part_unexpected", Some("c")),
        (
            json!({"a": image, "b": {"url": "http://localhost"}}),
            400,
            "part_unexpected",
            Some("b.url"),
        ),
        (json!({"a": image, "b": {}}), 400, "part_missing", Some("b.image")),
        (json!({"a": image, "b": 7}), 400, "body_malformed", Some("b")),
        (json!({"a": "?", "b": image}), 422, "base64_invalid", Some("a")),
        (json!({"a": image, "b": {"embedding": [1.0]}}), 422, "embedding_invalid", Some("b")),
        (
            json!({"a": {"embedding": zeros, "digest": "sha256:00"}, "b": image}),
            409,
            "model_mismatch",
            Some("a"),
        ),
        (json!({"a": "", "b": image}), 422, "image_empty", Some("a")),
    ];
    for (body, status, code, field) in cases {
        assert_eq!(app.json("/compare", &body).await.refused(status, code).as_deref(), field);
    }
    app.post("/compare", "application/json", "{\"a\":").await.refused(400, "body_malformed");
    let twice = format!(r#"{{"a":"{image}","a":"{image}"}}"#);
    app.post("/compare", "application/json", twice).await.refused(400, "part_repeated");
}

/// A client that could name a URL or path would make the server open it with its own rights.
#[tokio::test]
async fn urls_and_paths_are_never_opened() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    place.set_nonblocking(true).expect("a response at once");
    let url = format!("http://{}/a.jpg", place.local_addr().expect("an address"));
    let image = base64(&face(SAME[0]));
    let file = crate::app::root().join("samples").join(SAME[0]);
    let app = App::start();
    for name in [url.clone(), format!("file://{}", file.display()), file.display().to_string()] {
        for source in [json!(name), json!({ "image": name })] {
            let response = app.json("/compare", &json!({"a": source, "b": image})).await;
            assert_eq!(response.refused(422, "base64_invalid").as_deref(), Some("a"));
        }
        app.post("/embed", "image/jpeg", name).await.refused(415, "image_format_unsupported");
    }
    app.post("/embed", "text/uri-list", url).await.refused(415, "media_type_unsupported");
    assert!(place.accept().is_err(), "somebody came");
}

#[tokio::test]
async fn query_media_type_and_accept_are_checked_before_the_body() {
    let app = App::start();
    for query in ["?threshold=x", "?threshold=-1", "?fmr=2", "?fmr=0.1&threshold=1", "?t=1"] {
        app.post(&format!("/compare{query}"), "image/png", "").await.refused(400, "query_invalid");
    }
    app.post("/embed?threshold=1", "image/png", "").await.refused(400, "query_invalid");
    app.post("/compare", "text/plain", "").await.refused(415, "media_type_unsupported");
    app.post("/compare", "image/png", "").await.refused(415, "media_type_unsupported");
    let untyped = Request::post("/embed").body(Body::empty()).expect("a request");
    app.send(untyped).await.refused(415, "media_type_unsupported");
    let html = post("/embed", "image/png").header(header::ACCEPT, "text/html");
    app.send(html.body(Body::empty()).expect("a request")).await.refused(406, "not_acceptable");
}

#[tokio::test]
async fn a_content_coding_is_refused_by_name_before_the_body() {
    let app = App::start();
    for (codings, name) in [
        (&["gzip"][..], "gzip"),
        (&["identity, BR"], "BR"),
        (&["identity", "zstd"], "zstd"),
        (&["utf-8"], "utf-8"),
    ] {
        let mut request = post("/compare", "application/json");
        for coding in codings {
            request = request.header(header::CONTENT_ENCODING, *coding);
        }
        let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        let response = app.send(request.body(Body::from_stream(endless)).expect("a request")).await;
        response.refused(415, "media_type_unsupported");
        assert_eq!(response.header("accept-encoding"), "identity");
        let detail = response.json()["detail"].to_string();
        assert!(detail.contains(&format!("Content-Encoding {name},")), "{detail}");
    }
    let image = Body::from(face(SAME[0]));
    let plain = post("/embed", "image/jpeg").header(header::CONTENT_ENCODING, "Identity, identity");
    app.send(plain.body(image).expect("a request")).await.ok();
    let response = app.post("/compare", "text/plain", "").await;
    assert_eq!(response.header("accept-encoding"), "");
}

#[tokio::test]
async fn variants_of_a_request_get_the_same_response() {
    let app = App::start();
    let [a, b] = SAME.map(|name| base64(&face(name)));
    let expected = app.json("/compare?threshold=0.5", &json!({"a": a, "b": b})).await.ok().json();
    let lines = a.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("ASCII"));
    let lines = lines.collect::<Vec<_>>();
    for variant in [
        lines.join("\r\n") + "\r\n",
        lines.join(" "),
        a.trim_end_matches('=').to_owned(),
        a.replace('+', "-").replace('/', "_"),
        a.replace('+', " "),
        format!("DATA:image/jpeg;Base64,{}", a.replace('+', "%2b").replace('=', "%3D")),
    ] {
        let body = format!("\u{feff}{}", json!({"a": variant, "b": b}));
        let path = "/compare?%74hreshold=0%2E5";
        let request = post(path, "application/json").header(header::ACCEPT, "*; q=.2");
        let response = app.send(request.body(Body::from(body)).expect("a request")).await;
        assert_eq!(response.ok().json(), expected);
    }
}

#[tokio::test]
async fn options_of_the_whole_server_are_its_methods() {
    let request = Request::builder().method(Method::OPTIONS).uri("*").body(Body::empty());
    let response = App::start().send(request.expect("a request")).await;
    assert_eq!(
        (response.status.as_u16(), response.header("allow")),
        (204, "GET,HEAD,POST,OPTIONS")
    );
}

#[tokio::test]
async fn incomplete_forms_are_malformed() {
    let app = App::start();
    let image = face(SAME[0]);
    let (media, body) = form(&[("a", &image), ("b", &image)]);
    for length in [0, 10, body.len() / 2, body.len() - 4] {
        app.post("/compare", &media, body[..length].to_vec()).await.refused(400, "body_malformed");
    }
    app.post("/compare", "multipart/form-data", body).await.refused(400, "body_malformed");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_rejected() {
    let app = App::start();
    app.get("/compare/nothing").await.refused(404, "not_found");
    let response = app.get("/compare").await;
    response.refused(405, "method_not_allowed");
    assert_eq!(response.header("allow"), "POST");
    let request = Request::builder().method(Method::DELETE).uri("/model").body(Body::empty());
    let response = app.send(request.expect("a request")).await;
    response.refused(405, "method_not_allowed");
    assert_eq!(response.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn the_body_limit_holds_with_and_without_a_length() {
    let app = App::with(|settings| settings.server.max_body_bytes = at_most(1000));
    let announced = post("/embed", "image/png").header(header::CONTENT_LENGTH, 1001);
    app.send(announced.body(Body::empty()).expect("a request"))
        .await
        .refused(413, "body_too_large");

    let chunks = (0..11).map(|_| Ok::<_, Infallible>(Bytes::from(vec![0; 100])));
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    app.post("/embed", "image/png", stream).await.refused(413, "body_too_large");

    let chunks = (0..10).map(|_| Ok::<_, Infallible>(Bytes::from(vec![0; 100])));
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    app.post("/embed", "image/png", stream).await.refused(415, "image_format_unsupported");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_times_out() {
    let stream = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
    App::start().post("/embed", "image/png", stream).await.refused(408, "body_timeout");
}

#[tokio::test]
async fn a_deadline_of_zero_is_exceeded() {
    let app = App::start();
    let request = |ms: &'static str| {
        post("/embed", "image/jpeg")
            .header("x-request-timeout-ms", ms)
            .body(Body::from(face(SAME[0])))
    };
    app.send(request("0").expect("a request")).await.refused(504, "deadline_exceeded");
    app.send(request("soon").expect("a request")).await.refused(400, "query_invalid");
    app.send(request("9000").expect("a request")).await.ok();
}
