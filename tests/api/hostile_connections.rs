//! Clients that use up connections, bodies, responses and the log, and their effect on honest clients.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Request;
use h2::client::{self, SendRequest};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::app::{SAME, face, form};
use crate::patience::soon;
use crate::server::{Server, get, read_response};
use crate::waits::{SHORT_TIMEOUT_MS, TEST_TIMEOUT, eventually};

/// A runtime for clients, apart from the test's own thread.
fn client_runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// An HTTP/2 client with this flow-control window.
async fn client(server: SocketAddr, window: u32) -> (SendRequest<Bytes>, JoinHandle<bool>) {
    let stream = soon("a connection", tokio::net::TcpStream::connect(server)).await;
    let mut builder = client::Builder::new();
    builder.initial_window_size(window);
    let shaken = soon("HTTP/2", builder.handshake(stream.expect("a connection"))).await;
    let (requests, connection) = shaken.expect("HTTP/2");
    (requests, tokio::spawn(async move { connection.await.is_ok() }))
}

/// The value of a metric, from a port that no other client uses.
fn metric(address: SocketAddr, name: &str) -> u64 {
    let text = get(address, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().expect("a number")
}

fn compare_status(server: &Server) -> String {
    let [a, b] = SAME.map(face);
    let (media, body) = form(&[("a", &a), ("b", &b)]);
    let response = server.post("/compare", &media, &body, "");
    response.lines().next().unwrap_or_default().to_owned()
}

/// Sends requests with incomplete bodies, one after another.
async fn drip(requests: SendRequest<Bytes>) {
    loop {
        let Ok(mut ready) = requests.clone().ready().await else { return };
        let request = Request::post("http://x/embed").header("content-type", "image/jpeg");
        let request = request.body(()).expect("a request");
        let Ok((response, mut body)) = ready.send_request(request, false) else { return };
        let _ = body.send_data(Bytes::from_static(b"\xff\xd8"), false);
        let _ = response.await;
    }
}

#[test]
fn slow_bodies_do_not_block_pairs() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_IN_FLIGHT", "8"),
        ("SIAMESE_SERVER__MAX_RECEIVING", "200"),
    ]);
    let admin = server.admin.expect("a port");
    let clients = client_runtime();
    let listen = server.listen;
    for _ in 0..5 {
        clients.spawn(async move {
            let (requests, _connection) = client(listen, 1 << 16).await;
            let drips = (0..100).map(|_| drip(requests.clone()));
            futures_util::future::join_all(drips).await;
        });
    }
    eventually(TEST_TIMEOUT, "all places are taken", || {
        200 <= metric(admin, "siamese_receiving_requests")
    });

    let refused: Vec<String> = (0..30)
        .map(|_| compare_status(&server))
        .filter(|response| !response.contains(" 200 "))
        .collect();

    assert!(refused.is_empty(), "{refused:?}");
    assert!(0 < metric(admin, r#"siamese_bodies_ended_total{limit="receiving"}"#));
}

#[test]
fn silent_connections_do_not_lock_out_others() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_CONNECTIONS", "50"),
    ]);
    let admin = server.admin.expect("a port");
    // Three kinds: some send nothing, some have sent one request, some have sent an HTTP/2 preface.
    let mut silent = Vec::new();
    for number in 0..90 {
        let mut stream = server.connect();
        let response: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        };
        stream.write_all(response).expect("sent");
        silent.push(stream);
    }
    let begun = Instant::now();

    for _ in 0..20 {
        assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
    }

    assert!(begun.elapsed() < TEST_TIMEOUT / 2, "it waited for {:?}", begun.elapsed());
    assert!(metric(admin, r#"siamese_connections_ended_total{why="connections_full"}"#) >= 41);
    assert!(metric(admin, "siamese_connections_open") <= 50);
    assert_eq!(metric(admin, "siamese_connections_max"), 50);
}

#[test]
fn waiting_connections_do_not_lock_out_others() {
    let keys = "a-key-that-is-long-enough";
    let server = Server::with(&[
        ("SIAMESE_SERVER__MAX_CONNECTIONS", "20"),
        ("SIAMESE_SERVER__BODY_TIMEOUT_MS", "60000"),
        ("SIAMESE_SERVER__DEADLINE_MS", "60000"),
        ("SIAMESE_AUTH__KEYS", keys),
    ]);
    // Two kinds: bodies that never arrive, and invalid keys, whose rejections wait for each other.
    let mut held = Vec::new();
    for number in 0..40 {
        let mut stream = server.connect();
        let response = if number % 2 == 0 {
            format!(
                "POST /embed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {keys}\r\ncontent-type: image/png\r\n\
                 content-length: 9\r\n\r\n"
            )
        } else {
            "GET /model HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100)
        };
        stream.write_all(response.as_bytes()).expect("sent");
        held.push(stream);
    }
    let begun = Instant::now();

    for _ in 0..5 {
        assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
    }

    assert!(begun.elapsed() < TEST_TIMEOUT / 2, "it waited for {:?}", begun.elapsed());
}

#[test]
fn a_silent_connection_is_dropped_before_an_idle_one() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__HEAD_TIMEOUT_MS", SHORT_TIMEOUT_MS),
    ]);
    let admin = server.admin.expect("a port");
    let mut idle = server.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    assert_ne!(idle.read(&mut [0; 4096]).expect("a response"), 0);

    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0]).expect("an end"), 0);

    assert!(metric(admin, r#"siamese_connections_ended_total{why="silent"}"#) >= 1);
    idle.set_nonblocking(true).expect("a socket");
    let still = idle.read(&mut [0]).expect_err("it is there");
    assert_eq!(still.kind(), ErrorKind::WouldBlock);
}

/// Requests a large file on many streams and reads nothing. Returns whether the connection was closed.
async fn greedy(listen: SocketAddr) -> bool {
    let (requests, mut connection) = client(listen, 0).await;
    let mut streams = Vec::new();
    loop {
        let more = async {
            let mut ready = requests.clone().ready().await.ok()?;
            let request = Request::get("http://x/openapi.json").body(()).expect("a request");
            let (response, _) = ready.send_request(request, true).ok()?;
            response.await.ok()
        };
        tokio::select! {
            _ = &mut connection => return true,
            response = tokio::time::timeout(Duration::from_secs(5), more) => match response {
                Ok(Some(response)) => streams.push(response),
                // The client has used all of its streams; now it waits.
                Ok(None) | Err(_) => return tokio::time::timeout(TEST_TIMEOUT, connection).await.is_ok(),
            }
        }
    }
}

#[test]
fn unsent_responses_are_limited_and_end_their_connections() {
    const MOST: u64 = 2_097_152;
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_UNSENT_BYTES", "2097152"),
        ("SIAMESE_SERVER__RESPONSE_TIMEOUT_MS", "3000"),
    ]);
    let admin = server.admin.expect("a port");
    let (clients, listen) = (client_runtime(), server.listen);
    let greedy: Vec<_> = (0..20).map(|_| clients.spawn(greedy(listen))).collect();
    eventually(TEST_TIMEOUT, "answers wait", || {
        MOST / 3 < metric(admin, "siamese_responses_unsent_bytes")
    });

    while greedy.iter().any(|client| !client.is_finished()) {
        assert!(metric(admin, "siamese_responses_unsent_bytes") <= MOST);
        assert_eq!(compare_status(&server), "HTTP/1.1 200 OK");
    }

    for client in greedy {
        assert!(clients.block_on(client).expect("no panic"), "a connection was held");
    }
    eventually(TEST_TIMEOUT, "all is free again", || {
        metric(admin, "siamese_responses_unsent_bytes") == 0
    });
    let ended =
        |why: &str| metric(admin, &format!("siamese_connections_ended_total{{why=\"{why}\"}}"));
    let (full, stalled) = (ended("unsent_full"), ended("stalled"));
    assert!(1 <= full && 20 <= full + stalled, "{full} made room, {stalled} stalled");
}

#[test]
fn a_connection_with_many_unsent_responses_is_rejected() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__HTTP2_MAX_STREAMS", "1000"),
    ]);
    let (admin, listen) = (server.admin.expect("a port"), server.listen);
    let last = client_runtime().block_on(async {
        let (requests, _connection) = client(listen, 0).await;
        let mut streams = Vec::new();
        loop {
            let mut ready = requests.clone().ready().await.expect("it is open");
            let request = Request::get("http://x/openapi.json").body(()).expect("a request");
            let (response, _) = ready.send_request(request, true).expect("sent");
            let response = soon("a head", response).await.expect("a head");
            let status = response.status();
            streams.push(response);
            if status != 200 || streams.len() == 1000 {
                return status;
            }
        }
    });
    assert_eq!(last, 503);
    assert_eq!(metric(admin, r#"siamese_overloads_total{limit="unsent"}"#), 1);
    assert_eq!(compare_status(&server), "HTTP/1.1 200 OK");
}

#[test]
fn other_responses_do_not_count_as_progress_of_a_stalled_one() {
    /// Enough for a small response, but not for a large one, which stalls.
    const ROOM: u32 = 1000;
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__RESPONSE_TIMEOUT_MS", SHORT_TIMEOUT_MS),
    ]);
    let (admin, listen) = (server.admin.expect("a port"), server.listen);
    let taken = client_runtime().block_on(async {
        let (requests, mut connection) = client(listen, ROOM).await;
        let ask = async |path: &str| {
            let mut ready = requests.clone().ready().await.ok()?;
            let request = Request::get(format!("http://x{path}")).body(()).expect("a request");
            let (response, _) = ready.send_request(request, true).ok()?;
            Some(response.await.ok()?.into_body())
        };
        let _untaken = ask("/openapi.json").await.expect("its head");
        let mut taken = 0;
        let others = async {
            while let Some(mut other) = ask("/livez").await {
                while let Some(Ok(_)) = other.data().await {}
                taken += 1;
            }
        };
        tokio::select! {
            _ = &mut connection => {}
            () = others => {}
            () = tokio::time::sleep(TEST_TIMEOUT) => panic!("the connection is held"),
        }
        taken
    });
    assert!(10 < taken, "{taken} other responses were taken");
    assert_eq!(metric(admin, r#"siamese_connections_ended_total{why="stalled"}"#), 1);
}

#[test]
fn an_http_1_client_that_reads_no_response_is_disconnected() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__RESPONSE_TIMEOUT_MS", SHORT_TIMEOUT_MS),
    ]);
    let admin = server.admin.expect("a port");
    let mut greedy = server.connect();
    greedy.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    while greedy.write(&requests).is_ok() {}

    eventually(TEST_TIMEOUT, "it is let go", || {
        1 <= metric(admin, r#"siamese_connections_ended_total{why="stalled"}"#)
    });
    eventually(TEST_TIMEOUT, "nothing is held", || {
        metric(admin, "siamese_responses_unsent_bytes") == 0
    });
}

#[test]
fn a_malformed_head_is_rejected_with_its_code() {
    let server = Server::start();
    for (head, status, code) in [
        ("GET /livez HTTP/1.1\r\n", "400", "query_invalid"),
        ("GET /livez HTTP/1.1\r\nhost: x\r\nhost: x\r\n", "400", "query_invalid"),
        ("GET /livez HTTP/1.1\r\nhost: a b\r\n", "400", "query_invalid"),
        ("GET /livez HTTP/1.0\r\n", "200", ""),
        ("GET http://y/livez HTTP/1.1\r\nhost: x\r\n", "200", ""),
        (
            "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: gzip, chunked\r\n",
            "501",
            "transfer_coding_unsupported",
        ),
    ] {
        let mut stream = server.connect();
        let request = format!("{head}connection: close\r\n\r\n");
        let body = if head.starts_with("POST") { "0\r\n\r\n" } else { "" };
        stream.write_all(format!("{request}{body}").as_bytes()).expect("sent");
        let response = read_response(stream);
        let (version, rest) = response.split_once(' ').expect("a status");
        assert!(version.starts_with("HTTP/1.") && rest.starts_with(status), "{head:?}: {response}");
        assert!(response.contains(code), "{head:?}: {response}");
        let head = response.split_once("\r\n\r\n").expect("a head").0.to_lowercase();
        assert!(head.contains("\r\nx-request-id: ") && head.contains("\r\ndate: "), "{response}");
        assert_eq!(head.matches("\r\ndate: ").count(), 1, "{response}");
    }
}
