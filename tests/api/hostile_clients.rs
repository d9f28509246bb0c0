//! Hostile clients: malformed and slow requests on a plain socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::server::{Server, read_response};
use crate::waits::{SHORT_TIMEOUT_MS, TEST_TIMEOUT};

/// Short enough for a test, and long enough for a busy machine.
const SOON: [(&str, &str); 2] = [
    ("SIAMESE_SERVER__BODY_TIMEOUT_MS", SHORT_TIMEOUT_MS),
    ("SIAMESE_SERVER__IDLE_TIMEOUT_MS", SHORT_TIMEOUT_MS),
];

/// All bytes until the connection ends, which it must.
fn until_the_end(stream: &mut TcpStream) -> String {
    let mut response = Vec::new();
    match stream.read_to_end(&mut response) {
        Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the connection is held: {:?}", String::from_utf8_lossy(&response))
        }
        // The connection may be reset, because some bytes remain unread.
        _ => String::from_utf8_lossy(&response).into_owned(),
    }
}

/// Sends bytes, closes the sending side, and returns all bytes of the response.
fn send(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.connect();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    until_the_end(&mut stream)
}

fn is_refused(response: &str) -> bool {
    response.is_empty() || response.starts_with("HTTP/1.1 4")
}

/// Requests that two servers might read differently, or that have no end.
fn smuggled() -> Vec<Vec<u8>> {
    let long = "x".repeat(100 << 10);
    let many = "x: y\r\n".repeat(5000);
    [
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 2\r\n\r\nab",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\na",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\na",
        "POST /embed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /embed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /embed HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n\
         ffffffffffffffffff\r\n",
        "GET /livez HTTP/1.1\r\nhost : x\r\n\r\n",
        "GET /livez HTTP/1.1\r\n host: x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: x\r\nx: \0\r\n\r\n",
        "GET /livez HTTP/9.9\r\nhost: x\r\n\r\n",
        "GET  /livez HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /li vez HTTP/1.1\r\nhost: x\r\n\r\n",
        "\0\0\0\0",
        "\x16\x03\x01\x02\0\x01\0\x01",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        // An endless chunk extension, and an endless trailer.
        format!(
            "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n1;{long}\r\na\r\n0\r\n\r\n"
        ),
        format!(
            "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: {long}\r\n\r\n"
        ),
    ])
    .map(String::into_bytes)
    .collect()
}

#[test]
fn ambiguous_heads_are_rejected() {
    let server = Server::with(&SOON);
    for request in smuggled() {
        let response = send(&server, &request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        assert!(is_refused(&response), "{shown:?}: {response}");
    }
    assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_body_with_two_lengths_is_not_read_as_a_second_request() {
    let server = Server::with(&SOON);
    let hidden = "GET /model HTTP/1.1\r\nhost: x\r\n\r\n";
    let response = send(
        &server,
        format!(
            "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: {}\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
            4,
            hidden.len()
        )
        .as_bytes(),
    );
    assert!(is_refused(&response) && response.matches("HTTP/1.1 ").count() <= 1, "{response}");
}

#[test]
fn a_mutated_request_ends_only_its_own_connection() {
    const WORDS: [&str; 8] = [
        "content-length: 7\r\n",
        "transfer-encoding: chunked\r\n",
        "expect: 100-continue\r\n",
        "upgrade: h2c\r\nconnection: upgrade\r\n",
        "connection: keep-alive, close\r\n",
        "\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\n",
    ];
    let server = Server::with(&SOON);
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let mut request = b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n\
             content-length: 5\r\n\r\n12345GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
            .to_vec();
        for _ in 0..=rng.usize(..4) {
            let at = rng.usize(..request.len());
            match rng.u8(..3) {
                0 => request[at] = rng.u8(..),
                1 => request.truncate(at + 1),
                _ => drop(request.splice(at..at, WORDS[rng.usize(..8)].bytes())),
            }
        }
        let response = send(&server, &request);
        let begins =
            response.is_empty() || response.starts_with("HTTP/1.") || response.starts_with('\0');
        assert!(begins && !response.contains(" 500 "), "{seed}: {response}");
    }
    assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
}

/// Sends a byte now and then, until the server ends the connection.
fn drip(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let begun = Instant::now();
    let mut first = [0];
    while begun.elapsed() < TEST_TIMEOUT {
        let _ = stream.write_all(b"x");
        match stream.read(&mut first) {
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(1) => {
                stream.set_read_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
                return format!("{}{}", char::from(first[0]), until_the_end(stream));
            }
            _ => return String::new(),
        }
    }
    panic!("it is let for ever")
}

#[test]
fn a_slow_body_is_408() {
    let server = Server::with(&SOON);
    let mut stream = server.connect();
    let head = "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 99999\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    let response = drip(&mut stream);
    assert!(
        response.starts_with("HTTP/1.1 408") && response.contains("body_timeout"),
        "{response}"
    );
}

#[test]
fn a_slow_head_is_dropped_before_an_idle_connection() {
    let server = Server::with(&[("SIAMESE_SERVER__HEAD_TIMEOUT_MS", SHORT_TIMEOUT_MS)]);
    let mut idle = server.connect();
    let get = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut response = [0; 12];
    idle.write_all(get).expect("sent");
    idle.read_exact(&mut response).expect("a response");

    let mut stream = server.connect();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: ").expect("sent");
    let response = drip(&mut stream);
    assert!(!response.starts_with("HTTP/1.1 2"), "{response}");

    idle.write_all(get).expect("it is still there");
    let mut response = Vec::new();
    while !response.windows(12).any(|window| window == b"HTTP/1.1 200") {
        let mut block = [0; 1024];
        let came = idle.read(&mut block).expect("a response");
        assert_ne!(came, 0, "it was ended");
        response.extend_from_slice(&block[..came]);
    }
}

#[test]
fn a_client_that_disconnects_in_its_body_leaves_nothing_behind() {
    let server = Server::start();
    let mut stream = server.connect();
    let head = "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 99999\r\n\r\nxxx";
    stream.write_all(head.as_bytes()).expect("sent");
    server.until_metrics_contain("siamese_receiving_requests 1\n");

    drop(stream);

    server.until_metrics_contain("siamese_receiving_requests 0\n");
}

#[test]
fn a_client_that_reads_no_response_does_not_hold_its_connection() {
    let server = Server::with(&[SOON[0], SOON[1], ("SIAMESE_SERVER__MAX_CONNECTIONS", "1")]);
    let mut greedy = server.connect();
    greedy.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    // First the responses fill all buffers, then the requests.
    let requests = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    while greedy.write(&requests).is_ok() {}

    assert_eq!(status_for_another_client(&server), "HTTP/1.1 200");
}

/// The status line that another client receives, which waits for the only slot.
fn status_for_another_client(server: &Server) -> String {
    let mut other = server.connect();
    other.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
    read_response(other).chars().take(12).collect()
}
