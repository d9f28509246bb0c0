//! What the log contains about requests, and what it never contains.

use serde_json::{Value, json};

use crate::app::{SAME, base64, face, form};
use crate::server::Server;

fn logging(filter: &str, format: &str) -> Server {
    Server::with(&[("RUST_LOG", filter), ("SIAMESE_LOG__FORMAT", format)])
}

/// The log lines of the request with this ID.
fn lines(log: &str, id: &str) -> Vec<Value> {
    let events = log.lines().map(|line| serde_json::from_str(line).expect("every line is JSON"));
    events.filter(|item: &Value| item["span"]["id"] == id).collect()
}

#[test]
fn a_request_is_one_line_at_the_debug_level() {
    let server = logging("debug", "json");
    let [a, b] = SAME.map(face);
    let (media, body) = form(&[("a", &a), ("b", &b)]);
    let response = server.post("/compare", &media, &body, "x-request-id: mine-1\r\n");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");

    let [line] = &lines(&server.end(), "mine-1")[..] else { panic!("one line") };
    assert_eq!(
        (&line["level"], &line["message"], &line["route"], &line["status"]),
        (&json!("DEBUG"), &json!("request answered"), &json!("/compare"), &json!(200)),
        "{line}"
    );
    assert!(line["took_ms"].as_f64().is_some_and(|number| 0.0 < number), "{line}");
}

#[test]
fn by_default_a_failure_is_one_line_with_its_cause_and_a_success_is_none() {
    let server = logging("info", "json");
    let image = face(SAME[0]);
    let (media, body) = form(&[("a", &image), ("b", &image[..image.len() / 2])]);
    server.post("/compare", &media, &body, "x-request-id: mine-1\r\n");
    let (media, body) = form(&[("a", &image), ("b", &image)]);
    server.post("/compare", &media, &body, "x-request-id: mine-2\r\n");

    let log = server.end();
    let [line] = &lines(&log, "mine-1")[..] else { panic!("one line") };
    assert_eq!(
        (&line["level"], &line["code"], &line["field"], &line["status"]),
        (&json!("INFO"), &json!("image_corrupt"), &json!("b"), &json!(422)),
        "{line}"
    );
    let cause = line["cause"].as_str().expect("a cause");
    assert!(cause.starts_with("the image cannot be decoded") && cause.contains(": "), "{cause}");
    assert!(lines(&log, "mine-2").is_empty());
}

#[test]
fn images_embeddings_and_keys_are_not_in_the_log() {
    const EMBEDDING: [f64; 3] = [0.123_456_7, -0.765_432_1, 0.246_813_5];
    const KEY: &str = "a-key-that-nobody-may-see";
    for format in ["json", "text"] {
        let server = logging("trace", format);
        let secret = format!("authorization: Bearer {KEY}\r\n");
        let [a, b] = SAME.map(face);
        let (media, body) = form(&[("a", &a), ("b", &b)]);
        let (_, broken) = form(&[("a", &a[..a.len() / 2]), ("b", b"plain text that is no image")]);
        let json = json!({"a": base64(&a), "b": {"embedding": EMBEDDING}}).to_string();
        let cut_off = &json[..json.len() - 1];
        let embedding = server.post("/embed", "image/jpeg", &a, &secret);
        server.post("/compare", &media, &body, &secret);
        server.post("/compare", &media, &broken, &secret);
        for body in [&json, cut_off] {
            server.post("/compare", "application/json", body.as_bytes(), &secret);
        }

        let log = server.end();
        assert!(5 <= log.matches("/compare").count() + log.matches("/embed").count(), "{log}");
        let (_, embedding) = embedding.split_once("\"embedding\":[").expect("an embedding");
        let ours: Vec<&str> = embedding.split([',', ']']).take(3).collect();
        let theirs = EMBEDDING.map(|number| number.to_string());
        let text = base64(&a);
        let bytes = format!("{:?}", &a[100..110]);
        let hex = format!("{:02x?}", &a[100..110]);
        let excerpts = [text[..24].to_owned(), text[400..424].to_owned(), bytes, hex];
        let excerpts = excerpts.iter().chain(&theirs).map(String::as_str).chain(ours);
        for secret in excerpts.chain([KEY, "plain text that is no image", "JFIF"]) {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
    }
}

#[test]
fn client_text_does_not_break_log_lines() {
    const ESCAPE: &str = "\u{1b}[31m";
    for format in ["json", "text"] {
        let server = logging("trace", format);
        let forged = "\n2026-01-01T00:00:00Z ERROR forged\r\u{2028}";
        let body = json!({ format!("{ESCAPE}{forged}"): "x" }).to_string();
        server.post("/compare", "application/json", body.as_bytes(), "");
        server.post("/compare?%0a%1b[31mforged=1", "application/json", b"{}", "");
        server.post("/%0aforged", "text/plain", b"", "x-request-id: forged%0a\t<b>\r\n");
        server.post("/embed?\u{85}forged", "image/png", b"", "x-request-timeout-ms: forged\r\n");
        let (media, body) = form(&[("a", b""), ("b\u{2028}\u{1b}[31mforged", b"")]);
        server.post("/compare", &media, &body, "");

        let log = server.end();
        assert!(
            !log.contains('\u{1b}') && !log.contains('\u{85}') && !log.contains('\r'),
            "{log:?}"
        );
        for line in log.lines() {
            match format {
                "json" => drop(serde_json::from_str::<Value>(line).expect("JSON")),
                _ => assert!(line.starts_with("20") && line.as_bytes()[26] == b'Z', "{line}"),
            }
            assert!(!line.starts_with("2026-01-01T00:00:00Z"), "{line}");
        }
        assert!(5 <= log.matches("request refused").count(), "{log}");
    }
}
