//! The program as a process: it comes up, is told to stop, and phones nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::app::root;
use crate::server::{Server, answer, get, request};
use crate::waits::process::output;
use crate::waits::{PATIENCE, WINDOW, eventually};

/// A server without a lame duck, whose stop begins with the drain.
const AT_ONCE: [(&str, &str); 1] = [("SIAMESE_SERVER__LAME_DUCK_MS", "0")];

/// A request in flight: its head has been read, and its body has not come.
fn in_flight(server: &Server) -> (TcpStream, Vec<u8>) {
    let (head, body) = request();
    let mut stream = server.connect();
    stream.write_all(&head).expect("sent");
    server.until_told("siamese_receiving_requests 1\n");
    (stream, body)
}

#[test]
fn a_stop_ends_what_is_in_flight_and_exits_0() {
    for (signal, variables) in [("TERM", &AT_ONCE[..]), ("INT", &[])] {
        let mut server = Server::with(variables);
        let (mut stream, body) = in_flight(&server);

        server.signal(signal);
        let line = server.line();
        assert!(line.contains("finishing the requests in progress"), "{line}");
        // The port closes a moment later, in which whoever comes is still let in.
        eventually(PATIENCE, "the port closes", || TcpStream::connect(server.listen).is_err());
        stream.write_all(&body).expect("sent");

        let answer = answer(stream);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(r#""verdict":"same""#),
            "{answer}"
        );
        assert_eq!(server.ended().code(), Some(0));
    }
}

/// Asks on a connection that the client means to keep, and reads what comes at once.
fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).expect("sent");
    let mut read = [0; 4096];
    let length = stream.read(&mut read).expect("an answer");
    String::from_utf8_lossy(&read[..length]).into_owned()
}

#[test]
fn a_lame_duck_serves_all_and_ends_each_connection_with_its_answer() {
    const CLOSE: &str = "connection: close\r\n";
    let mut server = Server::with(&[("SIAMESE_SERVER__LAME_DUCK_MS", "60000")]);
    let get = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut old = server.connect();
    let before = ask(&mut old, get);
    assert!(before.starts_with("HTTP/1.1 200") && !before.contains(CLOSE), "{before}");

    server.terminate();
    let line = server.line();
    assert!(line.contains("all requests are still served"), "{line}");

    // The connections learn of it a moment later.
    eventually(PATIENCE, CLOSE, || ask(&mut server.connect(), get).contains(CLOSE));
    let after = ask(&mut old, get);
    assert!(after.starts_with("HTTP/1.1 503") && after.contains(CLOSE), "{after}");
    assert_eq!(old.read(&mut [0]).expect("an end"), 0);
    let (head, body) = request();
    let head = String::from_utf8(head).expect("text").replace(CLOSE, "");
    let new = ask(&mut server.connect(), &[head.into_bytes(), body].concat());
    assert!(new.starts_with("HTTP/1.1 200") && new.contains(CLOSE), "{new}");
}

#[test]
fn a_second_signal_ends_it_now_and_says_what_was_cut_off() {
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
fn the_drain_has_an_end() {
    let mut server = Server::with(&[AT_ONCE[0], ("SIAMESE_SERVER__DRAIN_MS", WINDOW)]);
    let (stream, _) = in_flight(&server);
    server.terminate();
    assert!(server.line().contains("finishing the requests in progress"));
    assert!(server.line().contains("what was in flight is cut off"));
    assert_eq!(server.ended().code(), Some(0));
    drop(stream);
}

#[test]
fn a_log_that_nobody_takes_stops_neither_work_nor_a_stop() {
    let mut server = Server::with(&AT_ONCE);
    server.turn_away();
    assert!(server.post("/embed", "text/plain", b"", "").starts_with("HTTP/1.1 415"));
    server.signal("HUP");
    server.until_told(r#"siamese_swaps_total{outcome="ok"} 1"#);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

/// A pipe that nobody reads is full after some 300 lines.
#[test]
fn a_log_that_nobody_reads_holds_up_neither_port_and_no_stop() {
    let mut server = Server::with(&[
        AT_ONCE[0],
        ("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("RUST_LOG", "debug"),
    ]);
    let request =
        b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n";
    let mut stream = server.connect();
    let mut answers = BufReader::new(stream.try_clone().expect("a socket"));
    let mut line = String::new();
    eventually(PATIENCE, "lines are dropped", || {
        for _ in 0..500 {
            stream.write_all(request).expect("sent");
            line.clear();
            answers.read_line(&mut line).expect("an answer");
            assert!(line.starts_with("HTTP/1.1 415"), "{line}");
            let mut length = 0;
            while line != "\r\n" {
                line.clear();
                assert_ne!(answers.read_line(&mut line).expect("a header"), 0, "it broke off");
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().expect("a number");
                }
            }
            answers.read_exact(&mut vec![0; length]).expect("a body");
        }
        let told = get(server.admin.expect("a port"), "/metrics");
        told.contains("siamese_log_lines_dropped_total ")
            && !told.contains("siamese_log_lines_dropped_total 0\n")
    });

    assert!(get(server.listen, "/livez").starts_with("HTTP/1.1 200"));
    drop((stream, answers));
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_limit_of_descriptors_leaves_some_for_more_than_connections() {
    let mut server = Server::under(
        "ulimit -Sn 200; ulimit -Hn 256",
        &[("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0")],
    );
    let admin = server.admin.expect("a port");
    let told = get(admin, "/metrics");
    assert!(told.contains("process_max_fds 256\n"), "the soft limit was not raised: {told}");
    let most = told.lines().find_map(|it| it.strip_prefix("siamese_limit{limit=\"connections\"} "));
    let most: usize = most.and_then(|it| it.parse().ok()).expect("a limit");
    assert!((50..=128).contains(&most), "{most}");
    assert!(server.before.iter().any(|it| it.contains("the limit of file descriptors")));

    let registry: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    server.until_told(&format!("siamese_connections_open {most}\n"));

    assert!(get(server.listen, "/livez").starts_with("HTTP/1.1 200"));
    server.signal("HUP");
    server.until_told(r#"siamese_swaps_total{outcome="ok"} 1"#);
    drop(registry);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = Server::start();
    let body = vec![0; 5_000_000];
    let head = format!(
        "POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&body).expect("all of it is taken");
    assert!(answer(stream).starts_with("HTTP/1.1 415"));
}

#[test]
fn beyond_the_most_connections_one_waits_for_another_to_end() {
    let server = Server::with(&[("SIAMESE_SERVER__MAX_CONNECTIONS", "1")]);
    let mut first = server.connect();
    // It is let in once the first has idled for long, and is alone then.
    assert!(server.get("/metrics").contains("siamese_connections_open 1\n"));
    assert_eq!(first.read(&mut [0]).expect("an end"), 0);
}

#[test]
fn connections_are_counted_until_they_end() {
    let server = Server::start();
    // Who asks has one too.
    let until = |open| server.until_told(&format!("siamese_connections_open {}\n", open + 1));
    let two = [server.connect(), server.connect()];
    let told = until(2);
    assert!(!told.contains("siamese_connections_accepted_total 0\n"), "{told}");
    drop(two);
    until(0);
}

#[test]
fn an_idle_connection_is_ended() {
    let server = Server::with(&[("SIAMESE_SERVER__IDLE_TIMEOUT_MS", WINDOW)]);
    let mut idle = server.connect();
    assert_eq!(idle.read(&mut [0]).expect("an end"), 0);
    let mut slow = server.connect();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost:").expect("sent");
    let mut said = String::new();
    slow.read_to_string(&mut said).expect("an end");
    assert!(!said.contains(" 200 "), "{said}");
}

#[test]
fn a_taken_port_is_one_line_and_code_3() {
    let server = Server::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    command
        .args(["serve", "--device", "cpu", "--listen", &server.listen.to_string()])
        .current_dir(root())
        .env("RUST_LOG", "off");
    let output = output(PATIENCE, &mut command);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("can't listen on") && said.lines().count() == 1, "{said}");
}

/// ONNX Runtime's official builds send telemetry unless told not to.
#[cfg(target_os = "linux")]
#[test]
fn nothing_phones_home() {
    let home = tempfile::TempDir::new().expect("a folder");
    let path = home.path().to_str().expect("text");
    // An empty variable is as none, to those who look where a cache should be.
    let server = Server::with(&[("HOME", path), ("XDG_CACHE_HOME", "")]);
    for _ in 0..20 {
        let (head, body) = request();
        let mut stream = server.connect();
        stream.write_all(&[head, body].concat()).expect("sent");
        assert!(answer(stream).starts_with("HTTP/1.1 200"));
    }
    let process = format!("/proc/{}", server.id());
    let sockets: Vec<String> = std::fs::read_dir(format!("{process}/fd"))
        .expect("descriptors")
        .filter_map(|it| std::fs::read_link(it.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|it| Some(it.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut remotes = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw"] {
        let text = std::fs::read_to_string(format!("{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if sockets.iter().any(|it| it == columns[9]) {
                remotes.push(format!("{table} {}", columns[2]));
            }
        }
    }
    let written = std::fs::read_dir(home.path()).expect("a folder").count();
    assert_eq!(written, 0, "it keeps what it could tell in {path}");
    // Its own listener has no remote, and its clients are on the loopback.
    assert!(!remotes.is_empty());
    assert!(
        remotes.iter().all(|it| it.ends_with("00000000:0000") || it.contains(" 0100007F:")),
        "{remotes:?}"
    );
}

#[test]
fn health_and_metrics_have_a_port_of_their_own_where_one_is_set() {
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
