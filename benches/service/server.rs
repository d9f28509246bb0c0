//! The real server on a free port of the loopback interface. It is killed when dropped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use siamese_core::model::Device;
use tempfile::NamedTempFile;

use crate::Failure;
use crate::load::Target;
use crate::process::Process;
use crate::request::Request;

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// A file, because a pipe without a reader would block the server.
    log: NamedTempFile,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) ready_after: Duration,
}

/// The cache of embeddings: with its default size, or disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    On,
    Off,
}

/// The time limit of a start.
const START_TIMEOUT: Duration = Duration::from_mins(2);

impl Server {
    /// Starts the server with the environment's settings, and waits until it is ready.
    pub(crate) fn start(
        program: &Path,
        model: &Path,
        device: Device,
        cache: Cache,
    ) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = NamedTempFile::new()?;
        let mut command = Command::new(program);
        let device = serde_json::to_value(device)?;
        command
            .args(["serve", "--listen", &address.to_string()])
            .args(["--device", device.as_str().unwrap_or_default()])
            .arg("--model")
            .arg(model)
            .env("SIAMESE_LOG__FORMAT", "json")
            .stdin(Stdio::null())
            .stderr(log.reopen()?);
        if cache == Cache::Off {
            command.env("SIAMESE_CACHE__MAX_BYTES", "0");
        }
        let begun = Instant::now();
        let child = command.spawn()?;
        let mut server = Self { child, address, log, ready_after: Duration::ZERO };
        while !server.is_ready() {
            if server.child.try_wait()?.is_some() || START_TIMEOUT < begun.elapsed() {
                let log = std::fs::read_to_string(server.log.path())?;
                return Err(format!("the server does not start:\n{log}").into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.ready_after = begun.elapsed();
        Ok(server)
    }

    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    pub(crate) fn target(&self, requests: Vec<Request>) -> Target {
        Target { address: self.address, process: self.process(), requests: Arc::from(requests) }
    }

    /// How the server runs its model, according to its log.
    pub(crate) fn plan(&self) -> Result<String, Failure> {
        let log = std::fs::read_to_string(self.log.path())?;
        let chosen = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["message"] == "chose how to run the model");
        Ok(chosen.map_or_else(
            || "unknown, because RUST_LOG hides it".to_owned(),
            |event| {
                let (sessions, threads) = (&event["sessions"], &event["threads"]);
                format!(
                    "{sessions} × {threads} threads, at most {} images per run",
                    event["max_batch"]
                )
            },
        ))
    }

    fn is_ready(&self) -> bool {
        let request = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut response = String::new();
            stream.read_to_string(&mut response)?;
            Ok(response.starts_with("HTTP/1.1 200"))
        };
        request().unwrap_or(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
