//! Clients that hold what others need: connections, bodies, answers, the log, and what honest clients see of it.

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
use crate::server::{Server, answer, get};
use crate::waits::{PATIENCE, WINDOW, eventually};

/// Clients that are not the test's own thread.
fn elsewhere() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// An HTTP/2 client that lets no more of an answer come than it says.
async fn client(server: SocketAddr, window: u32) -> (SendRequest<Bytes>, JoinHandle<bool>) {
    let stream = soon("a connection", tokio::net::TcpStream::connect(server)).await;
    let mut builder = client::Builder::new();
    builder.initial_window_size(window);
    let shaken = soon("HTTP/2", builder.handshake(stream.expect("a connection"))).await;
    let (requests, connection) = shaken.expect("HTTP/2");
    (requests, tokio::spawn(async move { connection.await.is_ok() }))
}

/// A number that `/metrics` tells, of a port where nobody else asks.
fn told(address: SocketAddr, name: &str) -> u64 {
    let text = get(address, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().expect("a number")
}

fn honest_pair(server: &Server) -> String {
    let [a, b] = SAME.map(face);
    let (media, body) = form(&[("a", &a), ("b", &b)]);
    let said = server.post("/compare", &media, &body, "");
    said.lines().next().unwrap_or_default().to_owned()
}

/// Begins a request, sends some bytes of its body, and again as soon as that has an answer.
async fn drip(requests: SendRequest<Bytes>) {
    loop {
        let Ok(mut ready) = requests.clone().ready().await else { return };
        let request = Request::post("http://x/embed").header("content-type", "image/jpeg");
        let request = request.body(()).expect("a request");
        let Ok((answer, mut body)) = ready.send_request(request, false) else { return };
        let _ = body.send_data(Bytes::from_static(b"\xff\xd8"), false);
        let _ = answer.await;
    }
}

#[test]
fn bodies_that_drip_refuse_no_honest_pair() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_IN_FLIGHT", "8"),
        ("SIAMESE_SERVER__MAX_RECEIVING", "200"),
    ]);
    let admin = server.admin.expect("a port");
    let clients = elsewhere();
    let listen = server.listen;
    for _ in 0..5 {
        clients.spawn(async move {
            let (requests, _connection) = client(listen, 1 << 16).await;
            let drips = (0..100).map(|_| drip(requests.clone()));
            futures_util::future::join_all(drips).await;
        });
    }
    eventually(PATIENCE, "all places are taken", || {
        200 <= told(admin, "siamese_receiving_requests")
    });

    let refused: Vec<String> =
        (0..30).map(|_| honest_pair(&server)).filter(|said| !said.contains(" 200 ")).collect();

    assert!(refused.is_empty(), "{refused:?}");
    assert!(0 < told(admin, r#"siamese_bodies_ended_total{full="receiving"}"#));
}

#[test]
fn silent_connections_lock_nobody_out() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_CONNECTIONS", "50"),
    ]);
    let admin = server.admin.expect("a port");
    // Of three kinds: some say nothing, some have asked once, some greet in HTTP/2.
    let mut silent = Vec::new();
    for number in 0..90 {
        let mut stream = server.connect();
        let said: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        };
        stream.write_all(said).expect("sent");
        silent.push(stream);
    }
    let begun = Instant::now();

    for _ in 0..20 {
        assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
    }

    assert!(begun.elapsed() < PATIENCE / 2, "it waited for {:?}", begun.elapsed());
    assert!(told(admin, r#"siamese_connections_ended_total{why="connections_full"}"#) >= 41);
    assert!(told(admin, "siamese_connections_open") <= 50);
    assert_eq!(told(admin, "siamese_connections_max"), 50);
}

#[test]
fn connections_that_wait_for_their_own_clients_lock_nobody_out() {
    let keys = "a-key-that-is-long-enough";
    let server = Server::with(&[
        ("SIAMESE_SERVER__MAX_CONNECTIONS", "20"),
        ("SIAMESE_SERVER__BODY_TIMEOUT_MS", "60000"),
        ("SIAMESE_SERVER__DEADLINE_MS", "60000"),
        ("SIAMESE_AUTH__KEYS", keys),
    ]);
    // Of two kinds: bodies that never come, and guesses, whose refusals go one by one behind those of others.
    let mut held = Vec::new();
    for number in 0..40 {
        let mut stream = server.connect();
        let said = if number % 2 == 0 {
            format!(
                "POST /embed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {keys}\r\ncontent-type: image/png\r\n\
                 content-length: 9\r\n\r\n"
            )
        } else {
            "GET /model HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100)
        };
        stream.write_all(said.as_bytes()).expect("sent");
        held.push(stream);
    }
    let begun = Instant::now();

    for _ in 0..5 {
        assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
    }

    assert!(begun.elapsed() < PATIENCE / 2, "it waited for {:?}", begun.elapsed());
}

#[test]
fn a_connection_that_sends_no_byte_is_ended_long_before_one_that_idles() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__HEAD_TIMEOUT_MS", WINDOW),
    ]);
    let admin = server.admin.expect("a port");
    let mut idle = server.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    assert_ne!(idle.read(&mut [0; 4096]).expect("an answer"), 0);

    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0]).expect("an end"), 0);

    assert!(told(admin, r#"siamese_connections_ended_total{why="silent"}"#) >= 1);
    idle.set_nonblocking(true).expect("a socket");
    let still = idle.read(&mut [0]).expect_err("it is there");
    assert_eq!(still.kind(), ErrorKind::WouldBlock);
}

/// Asks for the page's largest files on many streams, and takes nothing of them; gives whether the connection was ended.
async fn greedy(listen: SocketAddr) -> bool {
    let (requests, mut connection) = client(listen, 0).await;
    let mut streams = Vec::new();
    loop {
        let more = async {
            let mut ready = requests.clone().ready().await.ok()?;
            let request = Request::get("http://x/openapi.json").body(()).expect("a request");
            let (answer, _) = ready.send_request(request, true).ok()?;
            answer.await.ok()
        };
        tokio::select! {
            _ = &mut connection => return true,
            answer = tokio::time::timeout(Duration::from_secs(5), more) => match answer {
                Ok(Some(answer)) => streams.push(answer),
                // It may have as many streams as it is let; now it waits.
                Ok(None) | Err(_) => return tokio::time::timeout(PATIENCE, connection).await.is_ok(),
            }
        }
    }
}

#[test]
fn answers_that_nobody_takes_are_bounded_and_end_their_connections() {
    const MOST: u64 = 2_097_152;
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_ANSWERS_BYTES", "2097152"),
        ("SIAMESE_SERVER__ANSWER_TIMEOUT_MS", "3000"),
    ]);
    let admin = server.admin.expect("a port");
    let (clients, listen) = (elsewhere(), server.listen);
    let greedy: Vec<_> = (0..20).map(|_| clients.spawn(greedy(listen))).collect();
    eventually(PATIENCE, "answers wait", || {
        MOST / 3 < told(admin, "siamese_responses_unsent_bytes")
    });

    while greedy.iter().any(|client| !client.is_finished()) {
        assert!(told(admin, "siamese_responses_unsent_bytes") <= MOST);
        assert_eq!(honest_pair(&server), "HTTP/1.1 200 OK");
    }

    for client in greedy {
        assert!(clients.block_on(client).expect("no panic"), "a connection was held");
    }
    eventually(PATIENCE, "all is free again", || {
        told(admin, "siamese_responses_unsent_bytes") == 0
    });
    let ended =
        |why: &str| told(admin, &format!("siamese_connections_ended_total{{why=\"{why}\"}}"));
    let (full, stalled) = (ended("answers_full"), ended("stalled"));
    assert!(1 <= full && 20 <= full + stalled, "{full} made room, {stalled} stalled");
}

#[test]
fn a_connection_that_takes_none_of_its_answers_is_refused_more() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__HTTP2_MAX_STREAMS", "1000"),
    ]);
    let (admin, listen) = (server.admin.expect("a port"), server.listen);
    let last = elsewhere().block_on(async {
        let (requests, _connection) = client(listen, 0).await;
        let mut streams = Vec::new();
        loop {
            let mut ready = requests.clone().ready().await.expect("it is open");
            let request = Request::get("http://x/openapi.json").body(()).expect("a request");
            let (answer, _) = ready.send_request(request, true).expect("sent");
            let answer = soon("a head", answer).await.expect("a head");
            let status = answer.status();
            streams.push(answer);
            if status != 200 || streams.len() == 1000 {
                return status;
            }
        }
    });
    assert_eq!(last, 503);
    assert_eq!(told(admin, r#"siamese_overloads_total{limit="answers"}"#), 1);
    assert_eq!(honest_pair(&server), "HTTP/1.1 200 OK");
}

#[test]
fn other_answers_of_a_connection_are_no_taking_of_one() {
    /// Enough for a small answer, and not for a large one, of which the client then takes no more.
    const ROOM: u32 = 1000;
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__ANSWER_TIMEOUT_MS", WINDOW),
    ]);
    let (admin, listen) = (server.admin.expect("a port"), server.listen);
    let taken = elsewhere().block_on(async {
        let (requests, mut connection) = client(listen, ROOM).await;
        let ask = async |path: &str| {
            let mut ready = requests.clone().ready().await.ok()?;
            let request = Request::get(format!("http://x{path}")).body(()).expect("a request");
            let (answer, _) = ready.send_request(request, true).ok()?;
            Some(answer.await.ok()?.into_body())
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
            () = tokio::time::sleep(PATIENCE) => panic!("the connection is held"),
        }
        taken
    });
    assert!(10 < taken, "{taken} other answers were taken");
    assert_eq!(told(admin, r#"siamese_connections_ended_total{why="stalled"}"#), 1);
}

#[test]
fn who_reads_no_answer_over_http_1_is_let_go() {
    let server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__ANSWER_TIMEOUT_MS", WINDOW),
    ]);
    let admin = server.admin.expect("a port");
    let mut greedy = server.connect();
    greedy.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    while greedy.write(&requests).is_ok() {}

    eventually(PATIENCE, "it is let go", || {
        1 <= told(admin, r#"siamese_connections_ended_total{why="stalled"}"#)
    });
    eventually(PATIENCE, "nothing is held", || told(admin, "siamese_responses_unsent_bytes") == 0);
}

#[test]
fn a_head_that_breaks_the_rules_is_refused_by_its_code() {
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
        let said = answer(stream);
        let (version, rest) = said.split_once(' ').expect("a status");
        assert!(version.starts_with("HTTP/1.") && rest.starts_with(status), "{head:?}: {said}");
        assert!(said.contains(code), "{head:?}: {said}");
        let head = said.split_once("\r\n\r\n").expect("a head").0.to_lowercase();
        assert!(head.contains("\r\nx-request-id: ") && head.contains("\r\ndate: "), "{said}");
        assert_eq!(head.matches("\r\ndate: ").count(), 1, "{said}");
    }
}
