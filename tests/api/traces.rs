//! Traces: requests as spans at a collector.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread;

use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::app::{SAME, face, form};
use crate::server::Server;
use crate::waits::{TEST_TIMEOUT, eventually_some};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that accepts export requests, and passes on their spans.
pub(crate) struct Collector {
    address: SocketAddr,
    tls: bool,
    /// The heads of export requests, and the resources of their bodies.
    pub(crate) posts: mpsc::Receiver<(String, Value)>,
    spans: mpsc::Receiver<Value>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::listen(None)
    }

    /// A collector with TLS.
    pub(crate) fn encrypted(tls: ServerConfig) -> Self {
        Self::listen(Some(Arc::new(tls)))
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let is_encrypted = tls.is_some();
        let (post_sender, posts) = mpsc::channel();
        let (span_sender, spans) = mpsc::channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
                let (head, body) = match &tls {
                    None => take(&mut stream),
                    Some(tls) => {
                        let tls = ServerConnection::new(tls.clone()).expect("a connection");
                        take(&mut StreamOwned::new(tls, stream))
                    }
                }
                .expect("a post");
                let resource = &body["resourceSpans"][0];
                let _ = post_sender.send((head, resource["resource"].clone()));
                for span in resource["scopeSpans"][0]["spans"].as_array().expect("spans") {
                    let _ = span_sender.send(span.clone());
                }
            }
        });
        Self { address, tls: is_encrypted, posts, spans }
    }

    pub(crate) fn endpoint(&self) -> String {
        // The name in the certificate.
        let port = self.address.port();
        if self.tls {
            format!("https://localhost:{port}")
        } else {
            format!("http://{}", self.address)
        }
    }

    /// The next spans, this many.
    pub(crate) fn take(&self, spans: usize) -> Vec<Value> {
        (0..spans).map(|_| self.spans.recv_timeout(TEST_TIMEOUT).expect("a span")).collect()
    }
}

/// The head of an export request, and its body as JSON.
fn take(stream: &mut (impl Read + Write)) -> io::Result<(String, Value)> {
    let (head, body) = read(stream)?;
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    stream.write_all(response)?;
    Ok((head, body))
}

/// The head of a request, and its body as JSON.
fn read(stream: &mut impl Read) -> io::Result<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let length = stream.read(&mut more)?;
        assert_ne!(length, 0, "it broke off");
        bytes.extend_from_slice(&more[..length]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end + 2]).to_lowercase();
        let (_, length) = head.split_once("content-length: ").expect("a length");
        let length: usize =
            length.split("\r\n").next().and_then(|text| text.parse().ok()).expect("it");
        if end + 4 + length <= bytes.len() {
            let head = String::from_utf8_lossy(&bytes[..end + 2]).into_owned();
            return Ok((head, serde_json::from_slice(&bytes[end + 4..]).expect("JSON")));
        }
    }
}

pub(crate) fn compare(server: &Server, headers: &str) {
    let [a, b] = SAME.map(face);
    let (media, body) = form(&[("a", &a), ("b", &b)]);
    let response = server.post("/compare", &media, &body, headers);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

fn traceparent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{PARENT}-{flags}\r\nx-request-id: mine\r\n")
}

pub(crate) fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|item| item["key"] == key);
    &found.unwrap_or_else(|| panic!("{key} of {span}"))["value"]
}

fn time(span: &Value, key: &str) -> u64 {
    span[key].as_str().and_then(|text| text.parse().ok()).expect("nanoseconds")
}

#[test]
fn a_request_and_its_stages_are_spans_of_the_clients_trace() {
    let collector = Collector::start();
    let server = Server::with(&[("SIAMESE_TRACES__ENDPOINT", &collector.endpoint())]);
    compare(&server, &traceparent("01"));

    let spans = collector.take(5);
    assert!(spans.iter().all(|item| item["traceId"] == TRACE), "{spans:?}");
    let names: Vec<&str> = spans.iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(names, ["model", "queue", "search", "decode", "POST /compare"]);
    let request = &spans[4];
    assert_eq!((&request["parentSpanId"], &request["kind"]), (&json!(PARENT), &json!(2)));
    assert_eq!(attribute(request, "http.route")["stringValue"], "/compare");
    assert_eq!(attribute(request, "http.response.status_code")["intValue"], "200");
    assert_eq!(attribute(request, "siamese.request_id")["stringValue"], "mine");
    let [mut end, begun] = ["endTimeUnixNano", "startTimeUnixNano"].map(|key| time(request, key));
    for part in &spans[..4] {
        assert_eq!(part["parentSpanId"], request["spanId"]);
        assert_eq!(time(part, "endTimeUnixNano"), end, "parts follow each other");
        end = time(part, "startTimeUnixNano");
        assert!(begun <= end, "{part}");
    }
}

#[test]
fn the_clients_sampling_decision_overrides_the_ratio() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let none = ("SIAMESE_TRACES__RATIO", "0.0");
    // The variable that platforms set.
    let server = Server::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), none]);
    compare(&server, &traceparent("00"));
    compare(&server, "traceparent: nonsense\r\n");
    let twice = traceparent("01").repeat(2);
    compare(&server, &twice.replacen("x-request-id: mine\r\n", "", 1));
    compare(&server, &traceparent("01"));

    server.end();
    assert_eq!(
        collector.spans.try_iter().filter(|item| item["name"] == "POST /compare").count(),
        1
    );
}

#[test]
fn shutdown_sends_the_last_spans_and_the_log_names_the_trace() {
    let collector = Collector::start();
    let variables = [("SIAMESE_TRACES__ENDPOINT", &*collector.endpoint()), ("RUST_LOG", "debug")];
    let server = Server::with(&variables);
    server.get("/livez");
    server.get("/nowhere");

    let log = server.end();
    let spans: Vec<Value> = collector.spans.try_iter().collect();
    let [span] = &spans[..] else { panic!("one, as nobody traces probes: {spans:?}") };
    assert_eq!((&span["name"], &span["status"]), (&json!("GET other"), &Value::Null));
    assert_eq!(attribute(span, "error.type")["stringValue"], "not_found");
    assert!(span["parentSpanId"].is_null());
    let trace = span["traceId"].as_str().expect("an id");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(trace)).collect();
    assert!(lines.len() == 1 && lines[0].contains("request refused"), "{log}");
}

#[test]
fn an_unreachable_collector_is_logged_once() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let server = Server::with(&[("SIAMESE_TRACES__ENDPOINT", &format!("http://{free}"))]);
    for failed in 1..=2 {
        compare(&server, "");
        let line = format!("siamese_traced_requests_total{{outcome=\"failed\"}} {failed}\n");
        server.until_metrics_contain(&line);
    }

    let log = server.end();
    assert_eq!(log.matches("the collector does not accept traces").count(), 1, "{log}");
    assert!(log.contains("Connection refused"), "{log}");
}

#[test]
fn a_silent_collector_delays_neither_requests_nor_shutdown() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let server = Server::with(&[("SIAMESE_TRACES__ENDPOINT", &endpoint)]);
    compare(&server, "");
    silent.set_nonblocking(true).expect("a socket");
    let _held = eventually_some(TEST_TIMEOUT, "a post", || silent.accept().ok());
    compare(&server, "");

    let log = server.end();
    assert!(log.lines().last().is_some_and(|line| line.contains("stopped")), "{log}");
}
