//! The program as a process: start, shutdown, signals and network use.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::app::root;
use crate::server::{Server, get, read_response, request};
use crate::waits::process::output;
use crate::waits::{SHORT_TIMEOUT_MS, TEST_TIMEOUT, eventually};

/// A server without a lame-duck phase: its shutdown begins with the drain.
const AT_ONCE: [(&str, &str); 1] = [("SIAMESE_SERVER__LAME_DUCK_MS", "0")];

/// A request in flight: its head has been read, and its body has not arrived.
fn in_flight(server: &Server) -> (TcpStream, Vec<u8>) {
    let (head, body) = request();
    let mut stream = server.connect();
    stream.write_all(&head).expect("sent");
    server.until_metrics_contain("siamese_receiving_requests 1\n");
    (stream, body)
}

#[test]
fn a_stop_finishes_requests_in_flight_and_exits_0() {
    for (signal, variables) in [("TERM", &AT_ONCE[..]), ("INT", &[])] {
        let mut server = Server::with(variables);
        let (mut stream, body) = in_flight(&server);

        server.signal(signal);
        let line = server.line();
        assert!(line.contains("finishing the requests in progress"), "{line}");
        // Until the port closes a moment later, new connections are still accepted.
        eventually(TEST_TIMEOUT, "the port closes", || TcpStream::connect(server.listen).is_err());
        stream.write_all(&body).expect("sent");

        let response = read_response(stream);
        assert!(
            response.starts_with("HTTP/1.1 200") && response.contains(r#""verdict":"same""#),
            "{response}"
        );
        assert_eq!(server.ended().code(), Some(0));
    }
}

/// Sends a request on a keep-alive connection, and reads the response.
fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).expect("sent");
    let mut read = [0; 4096];
    let length = stream.read(&mut read).expect("a response");
    String::from_utf8_lossy(&read[..length]).into_owned()
}

#[test]
fn a_lame_duck_serves_requests_and_closes_their_connections() {
    const CLOSE: &str = "connection: close\r\n";
    let mut server = Server::with(&[("SIAMESE_SERVER__LAME_DUCK_MS", "60000")]);
    let get = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut old = server.connect();
    let before = ask(&mut old, get);
    assert!(before.starts_with("HTTP/1.1 200") && !before.contains(CLOSE), "{before}");

    server.terminate();
    let line = server.line();
    assert!(line.contains("all requests are still served"), "{line}");

    // The connections learn of the phase a moment later.
    eventually(TEST_TIMEOUT, CLOSE, || ask(&mut server.connect(), get).contains(CLOSE));
    let after = ask(&mut old, get);
    assert!(after.starts_with("HTTP/1.1 503") && after.contains(CLOSE), "{after}");
    assert_eq!(old.read(&mut [0]).expect("an end"), 0);
    let (head, body) = request();
    let head = String::from_utf8(head).expect("text").replace(CLOSE, "");
    let new = ask(&mut server.connect(), &[head.into_bytes(), body].concat());
    assert!(new.starts_with("HTTP/1.1 200") && new.contains(CLOSE), "{new}");
}

#[test]
fn a_second_signal_ends_the_server_and_reports_what_was_cut_off() {
    let mut server = Server::with(&AT_ONCE);
    let (stream, _) = in_flight(&server);
    server.terminate();
    assert!(server.line().contains("finishing the requests in progress"));
    server.signal("INT");
    assert!(server.line().contains("stopping now"));
    let last: Value = serde_json::from_str(&server.line()).expect("JSON");
    assert_eq!((&last["requests"], &last["connections"]), (&1.into(), &1.into()), "{last}");
    assert_eq!(server.ended().code(), Some(0));
    drop(stream);
}

#[test]
fn the_drain_has_a_time_limit() {
    let mut server = Server::with(&[AT_ONCE[0], ("SIAMESE_SERVER__DRAIN_MS", SHORT_TIMEOUT_MS)]);
    let (stream, _) = in_flight(&server);
    server.terminate();
    assert!(server.line().contains("finishing the requests in progress"));
    assert!(server.line().contains("requests in flight were cut off"));
    assert_eq!(server.ended().code(), Some(0));
    drop(stream);
}

#[test]
fn a_closed_log_stops_neither_requests_nor_shutdown() {
    let mut server = Server::with(&AT_ONCE);
    server.close_log();
    assert!(server.post("/embed", "text/plain", b"", "").starts_with("HTTP/1.1 415"));
    server.signal("HUP");
    server.until_metrics_contain(r#"siamese_swaps_total{model="faces",outcome="ok"} 1"#);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

/// A pipe that nobody reads is full after about 300 lines.
#[test]
fn a_blocked_log_delays_neither_requests_nor_shutdown() {
    let mut server = Server::with(&[
        AT_ONCE[0],
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("RUST_LOG", "debug"),
    ]);
    let request =
        b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n";
    let mut stream = server.connect();
    let mut responses = BufReader::new(stream.try_clone().expect("a socket"));
    let mut line = String::new();
    eventually(TEST_TIMEOUT, "lines are dropped", || {
        for _ in 0..500 {
            stream.write_all(request).expect("sent");
            line.clear();
            responses.read_line(&mut line).expect("a response");
            assert!(line.starts_with("HTTP/1.1 415"), "{line}");
            let mut length = 0;
            while line != "\r\n" {
                line.clear();
                assert_ne!(responses.read_line(&mut line).expect("a header"), 0, "it broke off");
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().expect("a number");
                }
            }
            responses.read_exact(&mut vec![0; length]).expect("a body");
        }
        let metrics = get(server.admin.expect("a port"), "/metrics");
        metrics.contains("siamese_log_lines_dropped_total ")
            && !metrics.contains("siamese_log_lines_dropped_total 0\n")
    });

    assert!(get(server.listen, "/livez").starts_with("HTTP/1.1 200"));
    drop((stream, responses));
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_descriptor_limit_reserves_some_for_other_uses() {
    let mut server = Server::under(
        "ulimit -Sn 200; ulimit -Hn 256",
        &[("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0")],
    );
    let admin = server.admin.expect("a port");
    let metrics = get(admin, "/metrics");
    assert!(metrics.contains("process_max_fds 256\n"), "the soft limit was not raised: {metrics}");
    let most =
        metrics.lines().find_map(|line| line.strip_prefix("siamese_limit{limit=\"connections\"} "));
    let most: usize = most.and_then(|text| text.parse().ok()).expect("a limit");
    assert!((50..=128).contains(&most), "{most}");
    assert!(server.before.iter().any(|line| line.contains("the limit of file descriptors")));

    let connections: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    server.until_metrics_contain(&format!("siamese_connections_open {most}\n"));

    assert!(get(server.listen, "/livez").starts_with("HTTP/1.1 200"));
    server.signal("HUP");
    server.until_metrics_contain(r#"siamese_swaps_total{model="faces",outcome="ok"} 1"#);
    drop(connections);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn an_early_error_reaches_a_client_that_is_still_sending() {
    let server = Server::start();
    let body = vec![0; 5_000_000];
    let head = format!(
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&body).expect("all of it is taken");
    assert!(read_response(stream).starts_with("HTTP/1.1 415"));
}

#[test]
fn a_connection_beyond_the_limit_waits_for_another_to_end() {
    let server = Server::with(&[("SIAMESE_SERVER__MAX_CONNECTIONS", "1")]);
    let mut first = server.connect();
    // The new connection is accepted once the first has idled long enough and was closed.
    assert!(server.get("/metrics").contains("siamese_connections_open 1\n"));
    assert_eq!(first.read(&mut [0]).expect("an end"), 0);
}

#[test]
fn connections_are_counted_until_they_end() {
    let server = Server::start();
    // The request for the metrics has a connection too.
    let until =
        |open| server.until_metrics_contain(&format!("siamese_connections_open {}\n", open + 1));
    let two = [server.connect(), server.connect()];
    let metrics = until(2);
    assert!(!metrics.contains("siamese_connections_accepted_total 0\n"), "{metrics}");
    drop(two);
    until(0);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::with(&[("SIAMESE_SERVER__IDLE_TIMEOUT_MS", SHORT_TIMEOUT_MS)]);
    let mut idle = server.connect();
    assert_eq!(idle.read(&mut [0]).expect("an end"), 0);
    let mut slow = server.connect();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost:").expect("sent");
    let mut response = String::new();
    slow.read_to_string(&mut response).expect("an end");
    assert!(!response.contains(" 200 "), "{response}");
}

#[test]
fn a_port_in_use_is_one_line_and_code_3() {
    let server = Server::start();
    let port = server.listen.port();
    // The name has a second address, at which the port is free.
    for listen in [server.listen.to_string(), format!("localhost:{port}"), format!(":{port}")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
        command
            .args(["serve", "--device", "cpu", "--listen", &listen])
            .current_dir(root())
            .env("RUST_LOG", "off");
        let output = output(TEST_TIMEOUT, &mut command);
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(&format!("cannot listen on {listen}: ")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

/// ONNX Runtime's official builds send telemetry by default.
#[cfg(target_os = "linux")]
#[test]
fn no_telemetry_is_sent() {
    let home = tempfile::TempDir::new().expect("a folder");
    let path = home.path().to_str().expect("text");
    // Programs that look for a cache folder treat an empty variable as unset.
    let server = Server::with(&[("HOME", path), ("XDG_CACHE_HOME", "")]);
    for _ in 0..20 {
        let (head, body) = request();
        let mut stream = server.connect();
        stream.write_all(&[head, body].concat()).expect("sent");
        assert!(read_response(stream).starts_with("HTTP/1.1 200"));
    }
    let process = format!("/proc/{}", server.id());
    let sockets: Vec<String> = std::fs::read_dir(format!("{process}/fd"))
        .expect("descriptors")
        .filter_map(|text| std::fs::read_link(text.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|text| Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut remotes = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw"] {
        let text = std::fs::read_to_string(format!("{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if sockets.iter().any(|socket| socket == columns[9]) {
                remotes.push(format!("{table} {}", columns[2]));
            }
        }
    }
    let written = std::fs::read_dir(home.path()).expect("a folder").count();
    assert_eq!(written, 0, "it keeps what it could tell in {path}");
    // The server's listener has no remote address, and its clients use the loopback interface.
    assert!(!remotes.is_empty());
    assert!(
        remotes.iter().all(|line| line.ends_with("00000000:0000") || line.contains(" 0100007F:")),
        "{remotes:?}"
    );
}

#[test]
fn a_port_may_be_on_a_named_interface_or_on_all() {
    for (admin, host) in [("localhost:0", "localhost"), (":0", "")] {
        let server = Server::with(&[("SIAMESE_SERVER__ADMIN_LISTEN", admin)]);
        let address = server.admin.expect("a port");
        let is_expected =
            |ip: IpAddr| if host.is_empty() { ip.is_unspecified() } else { ip.is_loopback() };
        assert!(is_expected(address.ip()), "{admin}: {address}");
        assert!(
            get((Ipv4Addr::LOCALHOST, address.port()).into(), "/readyz")
                .starts_with("HTTP/1.1 200")
        );
        let mut health = Command::new(env!("CARGO_BIN_EXE_siamese"));
        health.args(["health", "--listen", &format!("{host}:{}", address.port())]);
        assert!(output(TEST_TIMEOUT, &mut health).status.success(), "{admin}");
    }
}

#[test]
fn an_address_that_is_none_stops_the_start_with_the_way_out() {
    for (variables, code, words) in [
        ([("SIAMESE_SERVER__ADMIN_LISTEN", "9090")], 2, "\"9090\" is not ADDR:PORT, such as"),
        ([("SIAMESE_SERVER__ADMIN_LISTEN", "a.invalid:0")], 3, "cannot listen on a.invalid:0: "),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
        command.args(["serve", "--device", "cpu", "--listen", "127.0.0.1:0"]);
        command.current_dir(root()).env("RUST_LOG", "error").envs(variables);
        let output = output(TEST_TIMEOUT, &mut command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(words) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn a_server_starts_beside_a_service_of_its_name() {
    let server = Server::with(&[
        ("SIAMESE_SERVICE_HOST", "10.0.0.1"),
        ("SIAMESE_SERVICE_PORT_HTTP", "8080"),
        ("SIAMESE_PORT", "tcp://10.0.0.1:8080"),
        ("SIAMESE_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ]);
    assert!(server.get("/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn health_and_metrics_move_to_the_admin_port_if_one_is_set() {
    let mut server = Server::with(&[
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SIAMESE_SERVER__MAX_CONNECTIONS", "1"),
        ("SIAMESE_AUTH__KEYS", "a-key-0123456789"),
    ]);
    for path in ["/livez", "/readyz"] {
        assert!(server.get(path).starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(server.get("/metrics").starts_with("HTTP/1.1 401"));

    let _full = server.connect();
    server.listen = server.admin.expect("a port");
    for path in ["/livez", "/readyz", "/metrics"] {
        assert!(server.get(path).starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(server.get("/model").starts_with("HTTP/1.1 404"));
}
