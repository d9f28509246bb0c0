//! Invalid and nearly valid requests: each must get a response of the contract.
//!
//! The generators use `fastrand` rather than a library for property tests: nearly valid requests test the parsers best,
//! a seed reproduces each case, and no case needs to be shrunk.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, header};
use fastrand::Rng;

use crate::app::{App, SAME, TestResponse, base64, face, fixture, form};
use crate::patience::soon;

/// The number of requests of each kind.
const CASES: u64 = 400;

/// Each code that a client can cause, with its statuses.
const CODES: [(&str, u16); 21] = [
    ("body_malformed", 400),
    ("part_missing", 400),
    ("part_unexpected", 400),
    ("part_repeated", 400),
    ("query_invalid", 400),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("not_acceptable", 406),
    ("body_timeout", 408),
    ("model_mismatch", 409),
    ("body_too_large", 413),
    ("image_too_large", 413),
    ("media_type_unsupported", 415),
    ("image_format_unsupported", 415),
    ("image_empty", 422),
    ("image_corrupt", 422),
    ("base64_invalid", 422),
    ("embedding_invalid", 422),
    ("operating_point_unsupported", 422),
    ("batch_too_large", 422),
    ("deadline_exceeded", 504),
];

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"];
const PATHS: [&str; 12] = [
    "/",
    "/compare",
    "/compare/batch",
    "/embed",
    "/pixels",
    "/page/app.js",
    "/model",
    "/livez",
    "/readyz",
    "/metrics",
    "/compare/",
    "/%00",
];
const MEDIA: [&str; 8] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/octet-stream",
    "image/png",
    "multipart/form-data; boundary=between-the-parts",
    "multipart/form-data; boundary=\"",
    "multipart/form-data",
    "text/html",
];
const HEADERS: [&str; 8] = [
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "expect",
    "traceparent",
    "x-request-id",
    "x-request-timeout-ms",
];
const VALUES: [&str; 10] = [
    "*/*;q=0",
    "application/octet-stream, */*;q=NaN",
    "-1",
    "0",
    "18446744073709551616",
    "1e3",
    "Bearer ",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ";;;,,,===",
    "\u{e9}\u{ff}",
];
const QUERIES: [&str; 8] = [
    "threshold=NaN",
    "threshold=1e999",
    "threshold=-0",
    "fmr=0.5",
    "fmr=1e-300",
    "threshold=1&threshold=1",
    "%74hreshold=1",
    "&&&=&",
];

/// Fragments that are inserted into nearly valid bytes.
const WORDS: [&[u8]; 16] = [
    b"\r\n--between-the-parts",
    b"--between-the-parts--",
    b"\r\n\r\n",
    b"content-disposition: form-data; name=\"",
    b"\"",
    b"\\",
    b"\0",
    b"\xff",
    b"{\"image\":",
    b"[[[[[[[[[[",
    b"]",
    b"1e400",
    b"-0.0",
    b"\\ud800",
    b"data:image/png;base64,",
    b"null",
];

fn bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
    let length = rng.usize(..=most);
    (0..length).map(|_| rng.u8(..)).collect()
}

/// Changes bytes in some places: replaces, removes, repeats or inserts some.
fn mutated(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        let to = rng.usize(at..=bytes.len()).min(at + 200);
        match rng.u8(..4) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 => drop(bytes.drain(at..to)),
            2 => {
                let twice = bytes[at..to].to_vec();
                bytes.splice(at..at, twice);
            }
            _ => {
                let word = WORDS[rng.usize(..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

/// A random method, path, query, headers and body.
fn anything(rng: &mut Rng) -> Request<Body> {
    let mut path = PATHS[rng.usize(..PATHS.len())].to_owned();
    if rng.bool() {
        path.extend(
            (0..rng.usize(..30))
                .map(|_| char::from(rng.u8(b'0'..b'z')))
                .filter(|letter| !matches!(letter, '\\' | '^' | '`' | '<' | '>' | '?' | '[' | ']')),
        );
    }
    if rng.bool() {
        path.push('?');
        path.push_str(QUERIES[rng.usize(..QUERIES.len())]);
    }
    let method = Method::from_bytes(METHODS[rng.usize(..METHODS.len())].as_bytes());
    let mut request = Request::builder().method(method.expect("a method")).uri(path);
    for _ in 0..rng.usize(..5) {
        let name = HEADERS[rng.usize(..HEADERS.len())];
        let value = match rng.u8(..3) {
            0 => HeaderValue::from_bytes(&bytes(rng, 200)).ok(),
            1 => HeaderValue::from_str(VALUES[rng.usize(..VALUES.len())]).ok(),
            _ => HeaderValue::from_str(MEDIA[rng.usize(..MEDIA.len())]).ok(),
        };
        if let Some(value) = value {
            request = request.header(HeaderName::from_static(name), value);
        }
    }
    request.body(Body::from(bytes(rng, 3000))).expect("a request")
}

/// A nearly valid form.
fn nearly_valid_form(rng: &mut Rng) -> Request<Body> {
    let names = ["a", "b", "image", "", "c"];
    let contents = [face(SAME[0]), Vec::new(), bytes(rng, 100), b"P5 1 1 255\nx".to_vec()];
    let parts: Vec<(&str, &[u8])> = (0..rng.usize(..5))
        .map(|at| {
            let name = if rng.u8(..4) == 0 { names[rng.usize(..5)] } else { names[at % 2] };
            (name, contents[rng.usize(..4)].as_slice())
        })
        .collect();
    let (media, body) = form(&parts);
    post(rng, &media, body)
}

fn nearly_valid_json(rng: &mut Rng) -> Request<Body> {
    let body = match rng.u8(..4) {
        0 => format!("{{\"images\":[{}]}}", list(rng)),
        1 => format!("{{\"image\":{}}}", source(rng, 0)),
        _ => format!(
            "{{\"a\":{},\"{}\":{}}}",
            source(rng, 0),
            ["a", "b"][rng.usize(..2)],
            source(rng, 0)
        ),
    };
    post(rng, "application/json", body.into_bytes())
}

fn list(rng: &mut Rng) -> String {
    let items: Vec<String> = (0..rng.usize(..70)).map(|_| source(rng, 0)).collect();
    items.join(",")
}

/// A valid or invalid source.
fn source(rng: &mut Rng, depth: usize) -> String {
    let numbers =
        ["1", "-0.0", "1e38", "1e39", "1e400", "18446744073709551615", "-9e-999", "NaN", "null"];
    match rng.u8(..10) {
        0 => format!("\"{}\"", base64(&bytes(rng, 40))),
        1 => format!("\"{}\"", base64(b"P5 1 1 255\nx")),
        2 => format!(
            "\"data:{},{}\"",
            ["", ";base64", "image/png;base64"][rng.usize(..3)],
            base64(b"x")
        ),
        3 => format!("\"{}\"", base64(b"P5 1 1 255\nx").trim_end_matches('=').replace('A', "_")),
        4 => format!("{{\"image\":{}}}", source(rng, depth + 1)),
        5 => {
            let width = [0, 1, 64, 128, 5000][rng.usize(..5)];
            let kinds = rng.usize(2..=numbers.len());
            let list: Vec<&str> = (0..width).map(|_| numbers[rng.usize(..kinds)]).collect();
            format!("{{\"embedding\":[{}],\"digest\":\"sha256:00\"}}", list.join(","))
        }
        6 => "{\"embedding\":[1],\"embedding\":[1]}".to_owned(),
        7 => format!("{}{}", "[".repeat(rng.usize(..300)), "]".repeat(rng.usize(..300))),
        8 if depth < 200 => format!("{{\"x\":{}}}", source(rng, depth + 1)),
        _ => numbers[rng.usize(..numbers.len())].to_owned(),
    }
}

/// An image with some wrong bytes.
fn nearly_valid_image(rng: &mut Rng) -> Request<Body> {
    let names = [
        "interlaced.png",
        "plain.gif",
        "lossy.webp",
        "lossless-alpha.webp",
        "grey.bmp",
        "lzw.tiff",
    ];
    let name = names[rng.usize(..names.len())];
    let image = std::fs::read(fixture("images").join(name)).expect("an image");
    let body = mutated(rng, image);
    post(rng, "image/png", body)
}

fn post(rng: &mut Rng, media: &str, body: Vec<u8>) -> Request<Body> {
    let path = ["/compare", "/embed"][rng.usize(..2)];
    let body = if rng.bool() { mutated(rng, body) } else { body };
    let request = Request::post(path).header(header::CONTENT_TYPE, media);
    request.body(Body::from(body)).expect("a request")
}

/// Sends many requests of one kind, and checks each response against the contract. The responses must include these
/// codes and some with status 200, so that the requests reach deep enough.
async fn hold(app: &App, kind: &str, make: fn(&mut Rng) -> Request<Body>, among: &[&str]) {
    let mut reached = BTreeSet::new();
    for seed in 0..CASES {
        let request = make(&mut Rng::with_seed(seed));
        let case = format!("{kind} {seed}: {} {}", request.method(), request.uri());
        let is_head = request.method() == Method::HEAD;
        let response = soon(&case, app.send(request)).await;
        reached.insert(check(&response, is_head, &case));
    }
    for code in among.iter().chain(&["200"]) {
        assert!(reached.contains(*code), "{kind}: {code} is not among {reached:?}");
    }
}

#[track_caller]
fn check(response: &TestResponse, is_head: bool, case: &str) -> String {
    let status = response.status.as_u16();
    assert!(!response.header("x-request-id").is_empty(), "{case}");
    assert!(status == 200 || 400 <= status, "{case}: {status}");
    if is_head {
        assert_ne!(status, 500, "{case}");
        String::new()
    } else if status == 200 {
        if response.header("content-type") == "application/json" {
            response.json();
        }
        "200".to_owned()
    } else {
        assert_eq!(
            response.header("content-type"),
            "application/problem+json",
            "{case}: {response:?}"
        );
        let problem = response.json();
        let code = problem["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&(code, status)), "{case}: {problem}");
        assert_eq!(problem["status"], status, "{case}");
        let field = problem["field"].as_str().unwrap_or_default();
        assert!(field.chars().count() < 100, "{case}: {field}");
        code.to_owned()
    }
}

#[tokio::test]
async fn any_request_gets_a_response_of_the_contract() {
    let app = App::start();
    hold(
        &app,
        "anything",
        anything,
        &["method_not_allowed", "not_acceptable", "not_found", "query_invalid"],
    )
    .await;

    // No text from a client becomes a label.
    let metrics = app.get("/metrics").await.ok().body;
    assert!(metrics.len() < 100_000, "{} bytes of metrics", metrics.len());
}

#[tokio::test]
async fn a_nearly_valid_form_gets_a_response_of_the_contract() {
    hold(
        &App::start(),
        "form",
        nearly_valid_form,
        &["part_missing", "part_repeated", "part_unexpected", "image_empty"],
    )
    .await;
}

#[tokio::test]
async fn nearly_valid_json_gets_a_response_of_the_contract() {
    hold(
        &App::start(),
        "JSON",
        nearly_valid_json,
        &["base64_invalid", "embedding_invalid", "model_mismatch", "part_repeated"],
    )
    .await;
}

#[tokio::test]
async fn a_nearly_valid_image_gets_a_response_of_the_contract() {
    hold(
        &App::start(),
        "image",
        nearly_valid_image,
        &["image_corrupt", "image_format_unsupported"],
    )
    .await;
}
