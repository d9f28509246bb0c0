//! The server's side of the workers: the idle ones, and why others ended.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use siamese_core::preprocessing::{DecodeError, Decoded, Decoding, Diagnosis, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::Allowance;
use super::message::{Hello, Job, Outcome, PREFIX, encode, lengths};

/// The command that runs this program as a worker.
pub(crate) const COMMAND: &str = "decode-worker";

/// The longest upload that is sent over the socket, in bytes: a single write suffices.
const SHORT: usize = 64 << 10;

/// The part of the shared file that is kept for the next upload, in bytes.
const KEPT: u64 = 4 << 20;

/// Workers, started on demand. The caller must limit their number.
pub struct Pool {
    program: PathBuf,
    idle: Mutex<Vec<Worker>>,
    observe: Box<dyn Fn(Event) + Send + Sync>,
}

/// An event of a worker, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker started.
    Started,
    /// A worker ended.
    Ended(End),
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its upload exceeded the allowed CPU time.
    CpuTime,
    /// Its upload exceeded the allowed memory.
    Memory,
    /// Its decoder crashed.
    Crash,
    /// The request stopped waiting: its deadline passed, or the client left.
    Abandoned,
    /// It ended while idle.
    Idle,
}

/// A process, which ends when this is dropped.
struct Worker {
    process: Child,
    socket: UnixStream,
    /// A file in memory for large uploads. The socket would need many writes for them.
    file: Arc<File>,
}

/// A busy worker. Dropping it ends the worker.
struct Busy<'a> {
    pool: &'a Pool,
    worker: Option<Worker>,
}

/// The path of this program, even if its file was replaced.
pub fn this_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or(running) }
}

impl Pool {
    /// Creates a pool of workers that run `program`: this program, except in tests. `observe` receives the events.
    pub fn new(program: PathBuf, observe: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { program, idle: Mutex::default(), observe: Box::new(observe) }
    }

    /// Starts a worker in advance, so that the first upload does not wait. Returns whether the system filters its
    /// calls.
    pub async fn warm_up(&self) -> io::Result<bool> {
        let (worker, hello) = self.start().await?;
        self.idle().push(worker);
        Ok(hello.is_filtered)
    }

    /// Counts workers that ended while idle.
    pub fn reap(&self) {
        let is_over = |worker: &mut Worker| !matches!(worker.process.try_wait(), Ok(None));
        let over = self.idle().extract_if(.., is_over).count();
        (0..over).for_each(|_| (self.observe)(Event::Ended(End::Idle)));
    }

    /// Decodes an upload in a worker.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the worker ends, and the decode with it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn decode(
        &self,
        decoding: Decoding,
        upload: &Bytes,
        limits: Limits,
        allowance: Allowance,
    ) -> Result<Decoded, DecodeError> {
        let failed = |err: io::Error| {
            DecodeError::NoDecoder(Diagnosis::new(format_args!("no worker can be started: {err}")))
        };
        let mut busy = Busy { pool: self, worker: Some(self.take().await.map_err(failed)?) };
        let in_file = Some(upload.len()).filter(|length| SHORT < *length);
        let job = Job { decoding, limits, allowance, in_file };
        let worker = busy.worker.as_mut().expect("it was just assigned");
        match worker.decode(&job, upload).await {
            Ok(decoded) => {
                self.idle().extend(busy.worker.take());
                decoded
            }
            Err(err) => {
                let status = worker.end().await;
                busy.worker = None;
                let (end, why) = ended(status, &err);
                (self.observe)(Event::Ended(end));
                Err(why)
            }
        }
    }

    async fn take(&self) -> io::Result<Worker> {
        loop {
            let Some(mut worker) = self.idle().pop() else { break };
            match worker.process.try_wait() {
                Ok(None) => return Ok(worker),
                _ => (self.observe)(Event::Ended(End::Idle)),
            }
        }
        Ok(self.start().await?.0)
    }

    async fn start(&self) -> io::Result<(Worker, Hello)> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let file = memory()?;
        let process = Command::new(&self.program)
            .arg0("siamese")
            .arg(COMMAND)
            // The worker gets no secrets: no key, no setting.
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(file.try_clone()?))
            .stderr(Stdio::null())
            // Ctrl-C in a terminal must reach only the server, which then drains.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let socket = UnixStream::from_std(ours)?;
        let mut worker = Worker { process, socket, file: Arc::new(file) };
        let (hello, _) = worker.receive(0).await?;
        (self.observe)(Event::Started);
        Ok((worker, hello))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Runs a job. The inner result is the upload's; the outer error is the worker's.
    async fn decode(
        &mut self,
        job: &Job,
        upload: &Bytes,
    ) -> io::Result<Result<Decoded, DecodeError>> {
        if job.in_file.is_some() {
            let (file, upload) = (self.file.clone(), upload.clone());
            let written = tokio::task::spawn_blocking(move || file.write_all_at(&upload, 0));
            written.await.map_err(io::Error::other)??;
            self.socket.write_all(&encode(job, 0)).await?;
        } else {
            let message = [&encode(job, upload.len())[..], upload].concat();
            self.socket.write_all(&message).await?;
        }
        let received = self.receive(job.decoding.max_bytes()).await?;
        if KEPT < upload.len() as u64 {
            self.file.set_len(KEPT)?;
        }
        match received {
            (Outcome::Ok(form), bytes) => {
                let decoded = job.decoding.take(form, bytes);
                decoded
                    .map(Ok)
                    .ok_or_else(|| io::Error::other("the bytes are not a possible result"))
            }
            (Outcome::Err(err), _) => Ok(Err(err)),
        }
    }

    /// Receives the next message, with at most `most` bytes after its head.
    async fn receive<H: DeserializeOwned>(&mut self, most: usize) -> io::Result<(H, Vec<u8>)> {
        let mut prefix = [0; PREFIX];
        self.socket.read_exact(&mut prefix).await?;
        let [head, bytes] = lengths(prefix, most)?;
        let mut message = vec![0; head + bytes];
        self.socket.read_exact(&mut message).await?;
        let bytes = message.split_off(head);
        Ok((serde_json::from_slice(&message)?, bytes))
    }

    /// Ends the worker if it is still running, and returns its exit status.
    async fn end(&mut self) -> Option<ExitStatus> {
        // A worker that sent an invalid message may still be running.
        let _ = self.process.start_kill();
        self.process.wait().await.ok()
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.worker.is_some() {
            (self.pool.observe)(Event::Ended(End::Abandoned));
        }
    }
}

/// A file in memory only.
#[cfg(target_os = "linux")]
fn memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    Ok(memfd_create("upload", MemfdFlags::CLOEXEC)?.into())
}

/// A file without a name, for systems without files in memory.
#[cfg(not(target_os = "linux"))]
fn memory() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("siamese-{}", uuid::Uuid::new_v4()));
    let file = File::create_new(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Why a worker ended, and the error of its upload.
fn ended(status: Option<ExitStatus>, err: &io::Error) -> (End, DecodeError) {
    let costly = |what| DecodeError::TooCostly(Diagnosis::new(what));
    match status.and_then(|status| status.signal()) {
        Some(libc::SIGPROF) => (End::CpuTime, costly("it exceeded the allowed CPU time")),
        Some(libc::SIGABRT) => (End::Memory, costly("it exceeded the allowed memory")),
        Some(signal) => {
            let why =
                Diagnosis::new(format_args!("its worker was ended by signal {signal}: {err}"));
            (End::Crash, DecodeError::DecoderFailed(why))
        }
        None => {
            let why = Diagnosis::new(format_args!("its worker ended: {err}"));
            (End::Crash, DecodeError::DecoderFailed(why))
        }
    }
}
