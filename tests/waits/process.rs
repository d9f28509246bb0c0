//! Child processes of tests: none outlives its test, and every wait for one has a limit.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{TEST_TIMEOUT, clock, eventually_some};

/// The running children.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A child that is killed when it is dropped, or when its test takes too long.
pub(crate) struct Process(Child);

impl Process {
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        clock::watch();
        let child = command.spawn().expect("the program starts");
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id());
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a child").is_some()
    }

    /// Waits for the child's end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let what = format!("process {} ends", self.id());
        eventually_some(TEST_TIMEOUT, &what, || self.0.try_wait().expect("a child"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // A killed process ends immediately; this releases its number.
        let _ = self.0.wait();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id());
    }
}

/// Kills all children, before this process ends without dropping them.
pub(super) fn kill_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let ids: Vec<String> = running.iter().map(u32::to_string).collect();
    // The shell's own command, because not every machine has the program.
    let _ = Command::new("sh").args(["-c", &format!("kill -KILL {}", ids.join(" "))]).status();
}

/// Runs a program and returns its output.
///
/// # Panics
///
/// Panics if the program does not end within the time. The program is killed then.
#[track_caller]
pub(crate) fn output(within: Duration, command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(command);
    let out = read(process.0.stdout.take().expect("a pipe"));
    let err = read(process.0.stderr.take().expect("a pipe"));
    let end = Instant::now() + within;
    let received = |output: Receiver<io::Result<Vec<u8>>>| {
        let left = end.saturating_duration_since(Instant::now());
        let output = output.recv_timeout(left);
        output.unwrap_or_else(|_| panic!("not ended within {within:?}: {shown}")).expect("a pipe")
    };
    let (stdout, stderr) = (received(out), received(err));
    Output { status: process.ended(), stdout, stderr }
}

/// Reads everything, on a separate thread.
fn read(mut pipe: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        let read = pipe.read_to_end(&mut all);
        let _ = sender.send(read.map(|_| all));
    });
    receiver
}
