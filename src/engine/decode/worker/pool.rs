//! The server's side: workers that wait for uploads, and what became of those that do not any more.

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
use siamese_core::picture::{Diagnosis, Limits, PictureError, Planes, Preparation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::Allowance;
use super::message::{Hello, Job, Outcome, PREFIX, encode, lengths};

/// The command that runs this program as a worker.
pub(crate) const COMMAND: &str = "decode-worker";

/// The longest upload that goes over the socket, in bytes: that takes one turn.
const SHORT: usize = 64 << 10;

/// How much of the shared file is kept for the next upload, in bytes.
const KEPT: u64 = 4 << 20;

/// Workers, started as they are needed. How many there are at once is for the caller to bound.
pub struct Pool {
    program: PathBuf,
    idle: Mutex<Vec<Worker>>,
    observe: Box<dyn Fn(Event) + Send + Sync>,
}

/// What becomes of workers, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker was started.
    Started,
    /// A worker ended.
    Ended(End),
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its upload took more CPU time than it was allowed.
    CpuTime,
    /// Its upload took more memory than it was allowed.
    Memory,
    /// Its decoder crashed.
    Crash,
    /// Nobody waited for its upload any more: the deadline had come, or the client had left.
    Abandoned,
    /// It ended while it had nothing to do.
    Idle,
}

/// A process, which ends when this is dropped.
struct Worker {
    process: Child,
    socket: UnixStream,
    /// Memory in which large uploads are handed over: the socket would take them in many turns.
    file: Arc<File>,
}

/// A worker at work; where it is dropped, so is the work.
struct Busy<'a> {
    pool: &'a Pool,
    worker: Option<Worker>,
}

/// This very program, even if another file stands in its place by now.
pub fn this_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or(running) }
}

impl Pool {
    /// Workers that run `program`, which is this one but in tests; `observe` is told what becomes of them.
    pub fn new(program: PathBuf, observe: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { program, idle: Mutex::default(), observe: Box::new(observe) }
    }

    /// Starts a worker and has it wait, so that the first upload need not; tells whether the system filters its calls.
    pub async fn warm_up(&self) -> io::Result<bool> {
        let (worker, hello) = self.start().await?;
        self.idle().push(worker);
        Ok(hello.is_filtered)
    }

    /// Counts workers that ended while they had nothing to do.
    pub fn reap(&self) {
        let is_over = |worker: &mut Worker| !matches!(worker.process.try_wait(), Ok(None));
        let over = self.idle().extract_if(.., is_over).count();
        (0..over).for_each(|_| (self.observe)(Event::Ended(End::Idle)));
    }

    /// Has a worker make of an upload what a tower reads of it.
    ///
    /// # Cancel safety
    ///
    /// Where this is dropped, the worker ends, and with it the decode.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn planes(
        &self,
        preparation: &Preparation,
        upload: &Bytes,
        limits: Limits,
        allowance: Allowance,
    ) -> Result<Planes, PictureError> {
        let failed = |err: io::Error| {
            PictureError::NoDecoder(Diagnosis::new(format_args!("no worker can be started: {err}")))
        };
        let mut busy = Busy { pool: self, worker: Some(self.take().await.map_err(failed)?) };
        let in_file = Some(upload.len()).filter(|length| SHORT < *length);
        let job = Job { preparation: preparation.clone(), limits, allowance, in_file };
        let worker = busy.worker.as_mut().expect("it has just been put there");
        match worker.planes(&job, upload).await {
            Ok(planes) => {
                self.idle().extend(busy.worker.take());
                planes
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
            // It gets nothing to tell: no key, no setting.
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(file.try_clone()?))
            .stderr(Stdio::null())
            // A terminal's Ctrl-C is for the server, which drains.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let socket = UnixStream::from_std(ours)?;
        let mut worker = Worker { process, socket, file: Arc::new(file) };
        let (hello, _) = worker.hear(0).await?;
        (self.observe)(Event::Started);
        Ok((worker, hello))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// The inner outcome is the upload's, the outer one this worker's.
    async fn planes(
        &mut self,
        job: &Job,
        upload: &Bytes,
    ) -> io::Result<Result<Planes, PictureError>> {
        if job.in_file.is_some() {
            let (file, upload) = (self.file.clone(), upload.clone());
            let written = tokio::task::spawn_blocking(move || file.write_all_at(&upload, 0));
            written.await.map_err(io::Error::other)??;
            self.socket.write_all(&encode(job, 0)).await?;
        } else {
            let message = [&encode(job, upload.len())[..], upload].concat();
            self.socket.write_all(&message).await?;
        }
        let most = job.preparation.shape().iter().product();
        let heard = self.hear(most).await?;
        if KEPT < upload.len() as u64 {
            self.file.set_len(KEPT)?;
        }
        match heard {
            (Outcome::Ok(()), planes) => {
                let planes = job.preparation.planes_of(planes);
                planes.map(Ok).ok_or_else(|| io::Error::other("the planes have another size"))
            }
            (Outcome::Err(err), _) => Ok(Err(err)),
        }
    }

    /// The next message, with at most so many bytes behind its head.
    async fn hear<H: DeserializeOwned>(&mut self, most: usize) -> io::Result<(H, Vec<u8>)> {
        let mut prefix = [0; PREFIX];
        self.socket.read_exact(&mut prefix).await?;
        let [head, bytes] = lengths(prefix, most)?;
        let mut message = vec![0; head + bytes];
        self.socket.read_exact(&mut message).await?;
        let bytes = message.split_off(head);
        Ok((serde_json::from_slice(&message)?, bytes))
    }

    /// What it ended by: of its own, or now.
    async fn end(&mut self) -> Option<ExitStatus> {
        // It may have said what can't be, and go on.
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

/// A file in memory alone.
#[cfg(target_os = "linux")]
fn memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    Ok(memfd_create("upload", MemfdFlags::CLOEXEC)?.into())
}

/// A file without a name, where there are none in memory.
#[cfg(not(target_os = "linux"))]
fn memory() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("siamese-{}", uuid::Uuid::new_v4()));
    let file = File::create_new(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Why a worker ended, and what that says of its upload.
fn ended(status: Option<ExitStatus>, err: &io::Error) -> (End, PictureError) {
    let costly = |what| PictureError::TooCostly(Diagnosis::new(what));
    match status.and_then(|status| status.signal()) {
        Some(libc::SIGPROF) => (End::CpuTime, costly("it took more CPU time than is allowed")),
        Some(libc::SIGABRT) => (End::Memory, costly("it took more memory than is allowed")),
        Some(signal) => {
            let why =
                Diagnosis::new(format_args!("its worker was ended by signal {signal}: {err}"));
            (End::Crash, PictureError::DecoderFailed(why))
        }
        None => {
            let why = Diagnosis::new(format_args!("its worker ended: {err}"));
            (End::Crash, PictureError::DecoderFailed(why))
        }
    }
}
