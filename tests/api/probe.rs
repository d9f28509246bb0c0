//! `siamese health`.

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::app::root;
use crate::server::Server;
use crate::tls::Files;
use crate::waits::TEST_TIMEOUT;
use crate::waits::process::output;

/// Runs `siamese health` with these variables and this address.
fn ask(variables: &[(&str, &str)], listen: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    command
        .arg("health")
        .args(listen.iter().flat_map(|address| ["--listen", address]))
        .current_dir(root())
        .envs(variables.iter().copied());
    output(TEST_TIMEOUT, &mut command)
}

#[track_caller]
fn check(asked: &Output, code: i32, word: &str) {
    let stderr = String::from_utf8_lossy(&asked.stderr);
    assert_eq!(asked.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(word) && stderr.lines().count() <= 1, "{stderr}");
}

#[test]
fn a_running_server_is_healthy_until_it_stops() {
    let mut server = Server::with(&[("SIAMESE_SERVER__LAME_DUCK_MS", "600000")]);
    let listen = server.listen.to_string();
    check(&ask(&[], Some(&listen)), 0, "");
    check(&ask(&[("SIAMESE_SERVER__LISTEN", &listen)], None), 0, "");

    server.terminate();
    server.line_with("not ready any more");
    check(&ask(&[], Some(&listen)), 1, "503 Service Unavailable: the server is stopping");
}

#[test]
fn the_admin_port_is_checked_if_there_is_one() {
    let server = Server::with(&[("SIAMESE_SERVER__ADMIN_LISTEN", "127.0.0.1:0")]);
    let admin = server.admin.expect("a port").to_string();
    // The other port is invalid, so only the admin port can have been checked.
    check(&ask(&[("SIAMESE_SERVER__ADMIN_LISTEN", &admin)], Some("127.0.0.1:0")), 0, "");
}

#[test]
fn health_works_over_tls_with_any_certificate_name() {
    let (files, _) = Files::make();
    let server = files.serve(&[]);
    let variables = files.variables();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(key, value)| (*key, &**value)).collect();
    let listen = server.listen.to_string();
    check(&ask(&variables, Some(&listen)), 0, "");
    // A client without TLS gets no response.
    check(&ask(&[], Some(&listen)), 1, "broke");
}

#[test]
fn a_server_that_does_not_respond_is_unhealthy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = listener.local_addr().expect("an address").to_string();
    check(&ask(&[], Some(&listen)), 1, "did not answer within");
    drop(listener);
    check(&ask(&[], Some(&listen)), 1, "no server answers at");
}

#[test]
fn port_0_cannot_be_checked() {
    check(&ask(&[], Some("127.0.0.1:0")), 2, "--listen");
}
