//! Keys with names and rate limits.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::app::{App, SAME, TestResponse, face, form, post};
use crate::server::{Server, refuses_to_start};
use crate::traces::{Collector, attribute};

const SLOW: &str = "slow-key-0123456789";
const FAST: &str = "fast-key-0123456789";
const UNNAMED: &str = "unnamed-key-0123456789";

/// A service with the key `slow`, which has these limits, and two keys without limits: `fast`, and one without a name.
pub(crate) fn limited(limits: &str) -> App {
    App::with(|settings| {
        let keys = json!([format!("slow:{SLOW} {limits}"), format!("fast:{FAST}"), UNNAMED]);
        settings.auth.keys = Some(serde_json::from_value(keys).expect("keys"));
    })
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

async fn get(app: &App, path: &str, key: &str) -> TestResponse {
    let request = Request::get(path).header(header::AUTHORIZATION, bearer(key));
    app.send(request.body(Body::empty()).expect("a request")).await
}

async fn send(app: &App, path: &str, parts: &[(&str, &[u8])], key: &str) -> TestResponse {
    let (media, body) = form(parts);
    let request = post(path, &media).header(header::AUTHORIZATION, bearer(key));
    app.send(request.body(Body::from(body)).expect("a request")).await
}

async fn metrics(app: &App) -> String {
    String::from_utf8(app.get("/metrics").await.ok().body).expect("text")
}

/// The count of a key's requests with this outcome.
fn count(metrics: &str, key: &str, outcome: &str) -> u64 {
    let series = format!(r#"siamese_key_requests_total{{key="{key}",outcome="{outcome}"}} "#);
    let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
    found.unwrap_or_else(|| panic!("{series} in {metrics}")).parse().expect("a count")
}

#[tokio::test(start_paused = true)]
async fn a_key_beyond_its_rate_is_refused_and_recovers_while_others_are_served() {
    let app = limited("requests_per_second=2 burst=3");
    for _ in 0..3 {
        get(&app, "/model", SLOW).await.ok();
    }
    for _ in 0..50 {
        let response = get(&app, "/model", SLOW).await;
        response.refused(429, "rate_limited");
        assert_eq!(response.header("retry-after"), "1");
        get(&app, "/model", FAST).await.ok();
        get(&app, "/model", UNNAMED).await.ok();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        get(&app, "/model", SLOW).await.ok();
    }
    get(&app, "/nowhere", SLOW).await.refused(429, "rate_limited");

    let metrics = metrics(&app).await;
    assert_eq!(count(&metrics, "slow", "answered"), 5);
    assert_eq!(count(&metrics, "slow", "rate_limited"), 51);
    assert_eq!(count(&metrics, "slow", "refused"), 0);
    assert_eq!(count(&metrics, "fast", "answered"), 50);
    assert_eq!(count(&metrics, "fast", "rate_limited"), 0);
    assert_eq!(count(&metrics, "", "answered"), 50);
    for key in [SLOW, FAST, UNNAMED] {
        assert!(!metrics.contains(key), "{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_first_whole_second_that_is_admitted() {
    let app = limited("requests_per_second=0.4");
    get(&app, "/model", SLOW).await.ok();
    for seconds in ["3", "2", "1"] {
        let response = get(&app, "/model", SLOW).await;
        response.refused(429, "rate_limited");
        assert_eq!(response.header("retry-after"), seconds);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    get(&app, "/model", SLOW).await.ok();
}

#[tokio::test]
async fn no_body_is_read_beyond_the_rate() {
    let app = limited("requests_per_second=0.001");
    get(&app, "/model", SLOW).await.ok();
    let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
    let request = post("/embed", "image/png").header("expect", "100-continue");
    let request = request.header(header::AUTHORIZATION, bearer(SLOW));
    app.send(request.body(Body::from_stream(endless)).expect("a request"))
        .await
        .refused(429, "rate_limited");
    // A wrong key is no matter of rates, and an open path needs no key.
    get(&app, "/model", "wrong-key-0123456789").await.refused(401, "unauthorized");
    get(&app, "/readyz", SLOW).await.ok();
    get(&app, "/metrics", SLOW).await.ok();
}

#[tokio::test]
async fn each_image_of_a_request_counts() {
    let image = face(SAME[0]);
    let retry_after = async |path: &str, parts: &[(&str, &[u8])]| -> u64 {
        let app = limited("images_per_second=0.01");
        send(&app, path, parts, SLOW).await.ok();
        let response = send(&app, path, parts, SLOW).await;
        response.refused(429, "rate_limited");
        assert!(response.json()["detail"].as_str().expect("text").contains("images"));
        send(&app, path, parts, FAST).await.ok();
        response.header("retry-after").parse().expect("a number")
    };
    let one = retry_after("/embed", &[("image", &image)]).await;
    let pair = retry_after("/compare", &[("a", &image), ("b", &image)]).await;
    let many = retry_after("/embed", &[("image", &image[..]); 40]).await;
    // Each image takes 100 s; the requests take less than half of that.
    assert!((50..=100).contains(&one), "{one}");
    assert!((150..=200).contains(&pair), "{pair}");
    assert!((3950..=4000).contains(&many), "{many}");
}

#[tokio::test]
async fn stored_embeddings_are_no_images() {
    let app = limited("images_per_second=0.001");
    let image = send(&app, "/embed", &[("image", &face(SAME[0]))], FAST).await.ok().json();
    let stored = json!({"embedding": image["embedding"]});
    let body = json!({"pairs": [{"a": stored, "b": stored}, {"a": stored, "b": stored}]});
    for _ in 0..3 {
        let request = post("/compare/batch", "application/json");
        let request = request.header(header::AUTHORIZATION, bearer(SLOW));
        app.send(request.body(body.to_string().into()).expect("a request")).await.ok();
    }
}

#[tokio::test]
async fn protocols_refuse_in_their_own_form() {
    let app = limited("requests_per_second=0.001");
    get(&app, "/v1/models", SLOW).await.ok();

    let response = get(&app, "/v1/models", SLOW).await;
    let error = &response.json()["error"];
    assert_eq!(response.status.as_u16(), 429, "{error}");
    assert_eq!(
        (&error["code"], &error["type"]),
        (&json!("rate_limit_exceeded"), &json!("requests"))
    );
    assert!((990..=1000).contains(&response.header("retry-after").parse().expect("seconds")));

    let response = get(&app, "/v2", SLOW).await;
    let error = response.json();
    assert_eq!(response.status.as_u16(), 429, "{error}");
    assert!(error["error"].as_str().is_some_and(|text| text.contains("requests per second")));
    assert!(!response.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_counts_for_its_key() {
    let app = limited("requests_per_second=100");
    let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
    let request = post("/embed", "image/png").header(header::AUTHORIZATION, bearer(SLOW));
    let request = request.body(Body::from_stream(endless)).expect("a request");
    assert!(app.send(request).now_or_never().is_none());
    send(&app, "/embed", &[("image", b"no image")], FAST)
        .await
        .refused(415, "image_format_unsupported");
    let metrics = metrics(&app).await;
    assert_eq!(count(&metrics, "slow", "disconnected"), 1);
    assert_eq!(count(&metrics, "fast", "refused"), 1);
}

#[tokio::test]
async fn the_description_has_the_limit_where_a_key_is_needed() {
    let document = App::start().get("/openapi.json").await.ok().json();
    let codes = |path: &str, method: &str| -> Value {
        document["paths"][path][method]["responses"]["429"]["x-codes"].clone()
    };
    assert_eq!(codes("/model", "get"), json!(["rate_limited"]));
    assert_eq!(codes("/compare", "post"), json!(["rate_limited", "overloaded"]));
    assert_eq!(document["paths"]["/livez"]["get"]["responses"]["429"], Value::Null);
}

/// A process with the key `slow` and a file of keys.
fn server(variables: &[(&str, &str)]) -> Server {
    let keys = format!("slow:{SLOW} requests_per_second=0.001, {UNNAMED}");
    Server::with(&[&[("SIAMESE_AUTH__KEYS", keys.as_str())][..], variables].concat())
}

fn ask(server: &Server, path: &str, body: &[u8], key: &str, id: &str) -> String {
    let headers = format!("authorization: Bearer {key}\r\nx-request-id: {id}\r\n");
    server.post(path, "image/png", body, &headers)
}

/// The lines of requests with these IDs.
fn lines<const N: usize>(log: &str, ids: [&str; N]) -> [Value; N] {
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    ids.map(|id| {
        let mut found = lines.iter().filter(|line| line["span"]["id"] == id);
        let line = found.next().unwrap_or_else(|| panic!("{id} in {log}")).clone();
        assert!(found.next().is_none(), "{id} has several lines: {log}");
        line
    })
}

#[test]
fn the_access_log_has_one_line_for_each_request() {
    let server = server(&[("SIAMESE_LOG__REQUESTS", "all")]);
    let image = face(SAME[0]);
    let answered = ask(&server, "/embed?faces=largest", &image, SLOW, "answered");
    ask(&server, "/embed?secret=hidden", &image, SLOW, "limited");
    ask(&server, "/embed?secret=hidden", &image, UNNAMED, "refused");
    server.get("/livez");
    for _ in 0..120 {
        ask(&server, "/nowhere?secret=hidden", b"", UNNAMED, "lost");
    }
    let log = server.end();
    for secret in [SLOW, UNNAMED, "hidden"] {
        assert!(!log.contains(secret), "{log}");
    }
    let [ok, limited, refused] = lines(&log, ["answered", "limited", "refused"]);
    let (_, body) = answered.split_once("\r\n\r\n").expect("a body");
    for (field, value) in [
        ("level", json!("INFO")),
        ("message", json!("request answered")),
        ("method", json!("POST")),
        ("route", json!("/embed")),
        ("status", json!(200)),
        ("bytes_in", json!(image.len())),
        ("bytes_out", json!(body.len())),
        ("client", json!("127.0.0.1")),
    ] {
        assert_eq!(ok[field], value, "{field} of {ok}");
    }
    assert!(ok["took_ms"].as_f64().is_some_and(|took| 0.0 < took), "{ok}");
    assert_eq!((&ok["span"]["key"], &ok["code"]), (&json!("slow"), &Value::Null));
    assert_eq!(
        (&limited["status"], &limited["code"], &limited["span"]["key"]),
        (&json!(429), &json!("rate_limited"), &json!("slow"))
    );
    assert_eq!(
        (&refused["code"], &refused["span"]["key"]),
        (&json!("query_invalid"), &Value::Null)
    );
    // More refusals than the 50 that are logged in a second by default.
    assert_eq!(log.matches(r#""code":"not_found""#).count(), 120, "{log}");
    assert_eq!(log.matches(r#""route":"/livez""#).count(), 1, "{log}");
    assert!(!log.contains("suppressed"), "{log}");
}

#[test]
fn by_default_a_refused_request_names_its_key_and_no_client() {
    let server = server(&[]);
    ask(&server, "/embed", b"no image", SLOW, "refused");
    let log = server.end();
    let [line] = lines(&log, ["refused"]);
    assert_eq!((&line["span"]["key"], &line["client"]), (&json!("slow"), &Value::Null), "{line}");
}

#[test]
fn a_trace_names_the_key() {
    let collector = Collector::start();
    let server = server(&[("SIAMESE_TRACES__ENDPOINT", &collector.endpoint())]);
    ask(&server, "/embed", b"no image", SLOW, "traced");
    let [span] = &collector.take(1)[..] else { panic!("one span") };
    assert_eq!(attribute(span, "siamese.key")["stringValue"], "slow");
    ask(&server, "/embed", b"no image", UNNAMED, "traced");
    let [span] = &collector.take(1)[..] else { panic!("one span") };
    assert!(!span.to_string().contains("siamese.key"), "{span}");
}

#[test]
fn names_are_reloaded_with_the_keys() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("first:{FAST}")).expect("written");
    let path = file.path().to_str().expect("a plain path");
    let mut server = server(&[("SIAMESE_AUTH__KEYS_FILE", path)]);
    let series =
        |name: &str| format!(r#"siamese_key_requests_total{{key="{name}",outcome="answered"}}"#);
    server.until_metrics_contain(&format!("{} 0", series("first")));
    let embed = |server: &Server, key: &str| ask(server, "/embed", &face(SAME[0]), key, "x");
    assert!(embed(&server, SLOW).starts_with("HTTP/1.1 200"));

    let second = format!("second:{FAST} requests_per_second=0.001\n");
    std::fs::write(file.path(), &second).expect("written");
    server.signal("HUP");
    assert_eq!(server.event("item", "keys")["level"], "INFO");
    server.until_metrics_contain(&format!("{} 0", series("second")));
    assert!(embed(&server, FAST).starts_with("HTTP/1.1 200"));
    server.until_metrics_contain(&format!("{} 1", series("second")));
    assert!(embed(&server, FAST).starts_with("HTTP/1.1 429"));
    assert!(embed(&server, SLOW).starts_with("HTTP/1.1 429"), "what is spent stays spent");

    // A repeated name leaves everything as it was.
    std::fs::write(file.path(), format!("{second}slow:another-key-0123456789\n")).expect("written");
    server.signal("HUP");
    let event = server.event("item", "keys");
    assert_eq!(event["level"], "ERROR", "{event}");
    assert!(event["cause"].as_str().is_some_and(|cause| cause.contains(r#"the name "slow""#)));
    assert!(embed(&server, FAST).starts_with("HTTP/1.1 429"));
}

#[test]
fn an_invalid_name_or_limit_stops_the_start() {
    let refused = |keys: &str, why: &str| refuses_to_start(&[("SIAMESE_AUTH__KEYS", keys)], why);
    refused(&format!("a:{SLOW},a:{FAST}"), r#"two API keys have the name "a""#);
    refused(&format!("a:{SLOW},b:{SLOW}"), r#"the API key "b" is given more than once"#);
    refused(&format!("A:{SLOW}"), "key 1: a name before `:` must have");
    refused(&format!("{FAST},a:{SLOW} requests_per_second=0"), "key 2: a rate must be a number");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("# Ours\na:{SLOW} burst=1\n")).expect("written");
    let path = file.path().to_str().expect("a plain path");
    refuses_to_start(&[("SIAMESE_AUTH__KEYS_FILE", path)], "line 2 of");
}
