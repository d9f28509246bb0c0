//! The program as a separate process, with its port and its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitStatus};

use serde_json::Value;

use crate::app::{SAME, face, form, root};
use crate::waits::process::{Process, output};
use crate::waits::{TEST_TIMEOUT, eventually};

/// A server on its own port. It is killed when it is dropped.
pub(crate) struct Server {
    process: Process,
    pub(crate) listen: SocketAddr,
    /// The admin port, if there is one.
    pub(crate) admin: Option<SocketAddr>,
    /// The log lines before the server was ready.
    pub(crate) before: Vec<String>,
    /// The log, as a socket, because a pipe has no read timeout.
    log: Option<BufReader<UnixStream>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_siamese")), variables)
    }

    /// Starts a server after a shell command, such as one that sets limits.
    pub(crate) fn under(first: &str, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("{first}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_siamese")]);
        Self::run(shell, variables)
    }

    /// Starts a server with these arguments, which name its models.
    pub(crate) fn serving(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_siamese")), arguments, variables)
    }

    /// Starts a server of the default model alone, unless a variable names another: to load all takes long.
    fn run(program: Command, variables: &[(&str, &str)]) -> Self {
        let default = ("SIAMESE_MODEL__FILE", "models/faces.onnx");
        Self::launch(program, &[], &[&[default], variables].concat())
    }

    fn launch(mut program: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let (log, stderr) = UnixStream::pair().expect("sockets");
        log.set_read_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
        let command = program
            .args(["serve", "--listen", "127.0.0.1:0", "--device", "cpu"])
            .args(arguments)
            .current_dir(root())
            .env("SIAMESE_LOG__FORMAT", "json")
            .env_remove("OTEL_SERVICE_NAME")
            .env_remove("OTEL_RESOURCE_ATTRIBUTES")
            .env_remove("RUST_LOG")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .envs(variables.iter().copied())
            .stderr(OwnedFd::from(stderr));
        let process = Process::spawn(command);
        // The command holds a copy of the socket, which would hide the end of the log.
        drop(program);
        let mut server = Self {
            process,
            listen: SocketAddr::from(([0; 4], 0)),
            admin: None,
            before: Vec::new(),
            log: Some(BufReader::new(log)),
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

    /// The next line of the log.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let log = self.log.as_mut().expect("it is read");
        let read = log.read_line(&mut line);
        let read =
            read.unwrap_or_else(|err| panic!("no line within {TEST_TIMEOUT:?}: {err}, {line}"));
        assert_ne!(read, 0, "it has ended");
        line
    }

    /// Waits for a log line that contains these words, and returns it.
    #[track_caller]
    pub(crate) fn line_with(&mut self, words: &str) -> String {
        let mut others = String::new();
        // Each line has its own timeout; an endless log reaches this size.
        while others.len() < 1 << 20 {
            let line = self.line();
            if line.contains(words) {
                return line;
            }
            others.push_str(&line);
        }
        panic!("{words:?} is not in the log:\n{others}")
    }

    /// Waits for a log event in JSON whose `key` has this value, and returns it.
    #[track_caller]
    pub(crate) fn event(&mut self, key: &str, value: &str) -> Value {
        loop {
            let line = self.line_with(value);
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event[key] == value {
                return event;
            }
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.listen)
    }

    /// The JSON of a resource.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        let response = self.get(path);
        let (_, body) = response.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).unwrap_or_else(|err| panic!("{err}: {response}"))
    }

    pub(crate) fn get(&self, path: &str) -> String {
        get(self.listen, path)
    }

    /// Waits until the metrics contain this text, and returns them. It uses the admin port if there is one.
    #[track_caller]
    pub(crate) fn until_metrics_contain(&self, text: &str) -> String {
        let mut metrics = String::new();
        eventually(TEST_TIMEOUT, text, || {
            metrics = get(self.admin.unwrap_or(self.listen), "/metrics");
            metrics.contains(text)
        });
        metrics
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Sends a POST request, and returns the whole response.
    pub(crate) fn post(&self, path: &str, media: &str, body: &[u8], headers: &str) -> String {
        let mut stream = self.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\
             connection: close\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("sent");
        read_response(stream)
    }

    /// Stops the server, and returns the rest of its log.
    pub(crate) fn end(mut self) -> String {
        self.signal("INT");
        let mut rest = String::new();
        self.log.as_mut().expect("it is read").read_to_string(&mut rest).expect("a log");
        rest
    }

    /// Closes the log: writing to it fails.
    pub(crate) fn close_log(&mut self) {
        self.log = None;
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own command, because not every machine has the program.
        let kill = format!("kill -{name} {}", self.id());
        let sent = output(TEST_TIMEOUT, Command::new("sh").args(["-c", &kill]));
        assert!(sent.status.success(), "{sent:?}");
    }
}

/// An address in the log line "ready", in either format.
fn listening(line: &str, name: &str) -> Option<SocketAddr> {
    if let Ok(event) = serde_json::from_str::<Value>(line) {
        return event[name].as_str().filter(|_| event["message"] == "ready")?.parse().ok();
    }
    let (_, values) = line.split_once(" ready ")?;
    values.split(' ').find_map(|text| text.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
}

/// A complete `/compare` request as bytes: its head and its body.
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

/// A connection with timeouts.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, TEST_TIMEOUT).expect("a connection");
    stream.set_read_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
    stream.set_write_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
    stream
}

/// All text until the connection ends.
#[track_caller]
pub(crate) fn read_response(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    read.unwrap_or_else(|err| panic!("no response within {TEST_TIMEOUT:?}: {err}, {text:?}"));
    text
}

#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    read_response(stream)
}

/// Starts a server with invalid settings: it must print one line with this word, and exit with code 2.
#[track_caller]
pub(crate) fn refuses_to_start(variables: &[(&str, &str)], word: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    command
        .args(["serve", "--device", "cpu", "--listen", "127.0.0.1:0"])
        .current_dir(root())
        .env("RUST_LOG", "off")
        .envs(variables.iter().copied());
    let output = output(TEST_TIMEOUT, &mut command);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(word) && stderr.lines().count() == 1, "{stderr}");
}
