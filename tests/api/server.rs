//! The program as a process of its own, with its port and its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::app::{SAME, face, form, root};

/// A server of its own port; killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) listen: SocketAddr,
    /// The port for health and metrics, where it has one.
    pub(crate) admin: Option<SocketAddr>,
    /// Its log until it was ready.
    pub(crate) before: Vec<String>,
    log: Option<BufReader<std::process::ChildStderr>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Under changed settings.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_siamese")), variables)
    }

    /// Under what a shell sets first, such as limits.
    pub(crate) fn under(first: &str, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("{first}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_siamese")]);
        Self::run(shell, variables)
    }

    fn run(mut program: Command, variables: &[(&str, &str)]) -> Self {
        let mut child = program
            .args(["serve", "--listen", "127.0.0.1:0", "--device", "cpu"])
            .current_dir(root())
            .env("SIAMESE_LOG__FORMAT", "json")
            .env_remove("OTEL_SERVICE_NAME")
            .env_remove("OTEL_RESOURCE_ATTRIBUTES")
            .env_remove("RUST_LOG")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let log = child.stderr.take().map(BufReader::new);
        // Owned before anything can fail, so that it is never left behind.
        let mut server = Self {
            child,
            listen: SocketAddr::from(([0; 4], 0)),
            admin: None,
            before: Vec::new(),
            log,
        };
        while server.listen.port() == 0 {
            let line = server.line();
            server.before.push(line.clone());
            if let Some(listen) = listening(&line, "listen") {
                server.listen = listen;
                server.admin = listening(&line, "admin_listen");
            }
        }
        server
    }

    /// The next line of its log.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let log = self.log.as_mut().expect("it is read");
        assert_ne!(log.read_line(&mut line).expect("a log"), 0, "it has ended");
        line
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listen).expect("a connection")
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        answer(stream)
    }

    /// Posts a body, and gives the whole answer.
    pub(crate) fn post(&self, path: &str, media: &str, body: &[u8], headers: &str) -> String {
        let mut stream = self.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\
             connection: close\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("sent");
        answer(stream)
    }

    /// Ends it, and gives the rest of its log.
    pub(crate) fn end(mut self) -> String {
        self.signal("INT");
        let mut rest = String::new();
        self.log.as_mut().expect("it is read").read_to_string(&mut rest).expect("a log");
        rest
    }

    /// Reads its log no more: who writes to it fails.
    pub(crate) fn turn_away(&mut self) {
        self.log = None;
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own, as not every machine has the program.
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }
}

/// An address in the line that says it is ready, in either format.
fn listening(line: &str, name: &str) -> Option<SocketAddr> {
    if let Ok(event) = serde_json::from_str::<Value>(line) {
        return event[name].as_str().filter(|_| event["message"] == "ready")?.parse().ok();
    }
    let (_, values) = line.split_once(" ready ")?;
    values.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A whole `/compare` request, as bytes; its head, then its body.
pub(crate) fn request() -> (Vec<u8>, Vec<u8>) {
    let [a, b] = SAME.map(face);
    let (media, body) = form(&[("a", &a), ("b", &b)]);
    let head = format!(
        "POST /compare HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    (head.into_bytes(), body)
}

pub(crate) fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// Starts a server under settings that can't be: that is one line with this word, and code 2.
#[track_caller]
pub(crate) fn refuses_to_start(variables: &[(&str, &str)], word: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_siamese"))
        .args(["serve", "--device", "cpu", "--listen", "127.0.0.1:0"])
        .current_dir(root())
        .env("RUST_LOG", "off")
        .envs(variables.iter().copied())
        .output()
        .expect("the program");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(word) && said.lines().count() == 1, "{said}");
}
