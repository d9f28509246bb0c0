//! API keys.

use std::convert::Infallible;
use std::process::Command;

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::app::{App, SAME, TestResponse, face, form, post};
use crate::server::{Server, refuses_to_start};
use crate::waits::TEST_TIMEOUT;
use crate::waits::process::output;

const FIRST: &str = "first-key-0123456789";
const SECOND: &str = "second-key-0123456789";

/// A service with two keys.
fn locked() -> App {
    App::with(|settings| {
        let keys = format!(r#"["{FIRST}", "{SECOND}"]"#);
        settings.auth.keys = Some(serde_json::from_str(&keys).expect("keys"));
    })
}

async fn ask(app: &App, path: &str, authorization: &str) -> TestResponse {
    let request = Request::get(path).header(header::AUTHORIZATION, authorization);
    app.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn every_configured_key_is_accepted_and_no_other() {
    let app = locked();
    for key in [FIRST, SECOND] {
        ask(&app, "/model", &format!("Bearer {key}")).await.ok();
        ask(&app, "/model", &format!("bearer  {key}")).await.ok();
        ask(&app, "/nowhere", &format!("Bearer {key}")).await.refused(404, "not_found");
    }
    let (media, body) = form(&[("a", &face(SAME[0])), ("b", &face(SAME[1]))]);
    let request = post("/compare", &media).header("authorization", format!("Bearer {FIRST}"));
    app.send(request.body(Body::from(body)).expect("a request")).await.ok();

    for wrong in
        ["", "Bearer", "Bearer ", "Bearer first-key-012345678", FIRST, "Basic Zmlyc3Q6a2V5"]
    {
        let response = ask(&app, "/model", wrong).await;
        response.refused(401, "unauthorized");
        assert_eq!(response.header("www-authenticate"), "Bearer");
        assert_eq!(response.header("x-request-id").len(), 32);
    }
    for path in ["/model", "/compare", "/nowhere"] {
        app.get(path).await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn health_and_metrics_need_no_key() {
    let app = locked();
    for path in ["/livez", "/readyz", "/metrics"] {
        app.get(path).await.ok();
    }
}

#[tokio::test]
async fn no_body_is_read_without_a_valid_key() {
    let app = locked();
    let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
    let request = post("/embed", "image/png").header("expect", "100-continue");
    let request = request.body(Body::from_stream(endless)).expect("a request");
    app.send(request).await.refused(401, "unauthorized");
}

/// The next log line about the keys.
fn reloaded(server: &mut Server) -> Value {
    server.event("item", "keys")
}

#[test]
fn keys_are_reloaded_at_sighup() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FIRST).expect("written");
    let path = file.path().to_str().expect("a plain path");
    let mut server = Server::with(&[("SIAMESE_AUTH__KEYS_FILE", path)]);
    let opens = |server: &Server, key: &str| {
        let response =
            server.post("/embed", "text/plain", b"", &format!("authorization: Bearer {key}\r\n"));
        !response.starts_with("HTTP/1.1 401")
    };
    assert!(opens(&server, FIRST) && !opens(&server, SECOND));

    std::fs::write(file.path(), SECOND).expect("written");
    server.signal("HUP");
    assert_eq!(reloaded(&mut server)["level"], "INFO");
    assert!(opens(&server, SECOND) && !opens(&server, FIRST));

    std::fs::write(file.path(), "# Nobody\n").expect("written");
    server.signal("HUP");
    let event = reloaded(&mut server);
    assert_eq!(event["level"], "ERROR", "{event}");
    assert!(opens(&server, SECOND), "the keys are as they were");
}

#[test]
fn keys_can_come_from_the_environment() {
    let keys = format!("{FIRST}, {SECOND}");
    let server = Server::with(&[("SIAMESE_AUTH__KEYS", &keys)]);
    assert!(server.get("/model").starts_with("HTTP/1.1 401"));
    for key in [FIRST, SECOND] {
        let headers = format!("authorization: Bearer {key}\r\n");
        assert!(server.post("/embed", "text/plain", b"", &headers).starts_with("HTTP/1.1 415"));
    }
}

#[test]
fn empty_or_short_keys_stop_the_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a plain path");
    refuses_to_start(&[("SIAMESE_AUTH__KEYS_FILE", path)], "contains no key");
    refuses_to_start(&[("SIAMESE_AUTH__KEYS_FILE", "nowhere")], "nowhere can't be read");
    refuses_to_start(&[("SIAMESE_AUTH__KEYS", "")], "auth.keys");
    std::fs::write(file.path(), format!("{FIRST}\nshort\n")).expect("written");
    refuses_to_start(&[("SIAMESE_AUTH__KEYS_FILE", path)], "line 2 of");
}

#[tokio::test(start_paused = true)]
async fn invalid_keys_wait_in_a_queue_and_valid_keys_never_wait() {
    let app = locked();
    let begun = Instant::now();
    let guess = |number: usize| {
        let (authorization, app) = (format!("Bearer guess-number-{number:04}"), &app);
        async move {
            ask(app, "/model", &authorization).await.refused(401, "unauthorized");
            begun.elapsed()
        }
    };
    let guesses = futures_util::future::join_all((0..101).map(guess));
    let valid = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let sent = Instant::now();
        ask(&app, "/model", &format!("Bearer {FIRST}")).await.ok();
        assert_eq!(sent.elapsed(), Duration::ZERO, "a valid key waited");
    };
    let (mut ends, ()) = tokio::join!(guesses, valid);
    ends.sort_unstable();
    // Fifty per second, for all clients together.
    let [first, last] = [ends[0], ends[100]];
    assert!(first < Duration::from_millis(5), "{first:?}");
    assert!(Duration::from_secs(2) <= last && last < Duration::from_millis(2100), "{last:?}");
    let scrape = app.get("/metrics").await.ok();
    let scrape = String::from_utf8(scrape.body).expect("text");
    assert!(
        scrape.lines().any(|line| line.starts_with("siamese_requests_total{")
            && line.contains(r#"code="unauthorized""#)
            && line.ends_with(" 101")),
        "{scrape}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_key_waits_at_most_the_servers_deadline_and_cannot_shorten_it() {
    let app = App::with(|settings| {
        settings.auth.keys = Some(serde_json::from_str(&format!(r#"["{FIRST}"]"#)).expect("keys"));
        settings.server.deadline_ms = 1000.try_into().expect("not 0");
    });
    let begun = Instant::now();
    let guess = || async {
        let request = Request::get("/model")
            .header(header::AUTHORIZATION, "Bearer a-wrong-key-0123456789")
            .header("x-request-timeout-ms", "1");
        app.send(request.body(Body::empty()).expect("a request"))
            .await
            .refused(401, "unauthorized");
        begun.elapsed()
    };
    let mut ends = futures_util::future::join_all((0..200).map(|_| guess())).await;
    ends.sort_unstable();
    let soon = ends.iter().filter(|end| **end < Duration::from_millis(990)).count();
    assert!((49..=51).contains(&soon), "{soon} came within the second");
    assert!(ends[199] < Duration::from_millis(1010), "{:?}", ends[199]);
}

#[test]
fn keys_are_revoked_while_the_model_s_path_is_a_pipe() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let [model, keys] = ["model.onnx", "keys"].map(|name| folder.path().join(name));
    std::fs::copy(crate::app::shipped(), &model).expect("copied");
    std::fs::write(&keys, format!("{FIRST}\n{SECOND}\n")).expect("written");
    let mut server = Server::with(&[
        ("SIAMESE_MODEL__FILE", model.to_str().expect("text")),
        ("SIAMESE_AUTH__KEYS_FILE", keys.to_str().expect("text")),
        ("SIAMESE_MODEL__WATCH_MS", "20"),
    ]);
    let opens = |server: &Server, key: &str| {
        let headers = format!("authorization: Bearer {key}\r\n");
        server.post("/embed", "text/plain", b"", &headers).starts_with("HTTP/1.1 415")
    };
    std::fs::remove_file(&model).expect("removed");
    assert!(output(TEST_TIMEOUT, Command::new("mkfifo").arg(&model)).status.success());
    for (kept, revoked) in [(SECOND, FIRST), (FIRST, SECOND), (SECOND, FIRST)] {
        std::fs::write(&keys, kept).expect("written");
        server.signal("HUP");
        assert_eq!(reloaded(&mut server)["level"], "INFO");
        assert!(opens(&server, kept) && !opens(&server, revoked));
    }
    // The model is loaded again once its file exists.
    std::fs::remove_file(&model).expect("removed");
    std::fs::copy(crate::app::shipped(), &model).expect("copied");
    server.line_with("the new model is in service");
}
