//! The queue of the log: a thread that logs never waits for the log's reader.
//!
//! A pipe without a reader is full after some 64 KiB, and then a write blocks for ever. Therefore one thread writes
//! the lines. Lines that do not fit in its queue are dropped and counted, and the program's end waits only briefly for
//! it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// The most lines in the queue.
const LINES: usize = 4096;

/// The longest line that is written, in bytes: only a backtrace or a dependency's trace is longer.
const LONGEST: usize = 16 << 10;

/// How long the program's end waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The time between two reports of dropped lines.
const REPORTS: Duration = Duration::from_secs(1);

/// Lines dropped because the queue was full.
static NO_ROOM: OnceLock<ErrorCounter> = OnceLock::new();

/// Lines dropped because they were too long.
static TOO_LONG: AtomicU64 = AtomicU64::new(0);

/// Puts lines into the queue.
#[derive(Clone)]
pub(super) struct Queue(NonBlocking);

/// Dropping this writes the remaining lines, if a reader accepts them in time.
#[must_use]
pub struct Rest(Option<WorkerGuard>);

/// The number of dropped lines: the queue was full, or they were too long.
pub fn dropped_lines() -> u64 {
    let no_room = NO_ROOM.get().map_or(0, ErrorCounter::dropped_lines);
    TOO_LONG.load(Ordering::Relaxed).saturating_add(no_room as u64)
}

/// Tells from time to time how many lines were dropped, so that a log says that it has gaps.
#[derive(Default)]
pub struct DropReports(Mutex<Reported>);

#[derive(Default)]
struct Reported {
    dropped: u64,
    at: Option<Instant>,
}

impl DropReports {
    /// The number of all lines dropped so far, if more were dropped since it was last asked; at most once a second.
    ///
    /// If the line that reports them is dropped too, the number has grown, and a later line reports it.
    pub fn due(&self) -> Option<u64> {
        self.due_of(dropped_lines(), Instant::now())
    }

    fn due_of(&self, dropped: u64, now: Instant) -> Option<u64> {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = reported.at.is_some_and(|at| now < at + REPORTS);
        if dropped <= reported.dropped || is_soon {
            return None;
        }
        *reported = Reported { dropped, at: Some(now) };
        Some(dropped)
    }
}

/// Writes a last line to standard error, without waiting long for its reader.
pub fn say_last(line: String) {
    with_timeout(move || {
        let _ = writeln!(io::stderr(), "{line}");
    });
}

/// Runs work that may wait for a reader, on a thread that the program's end abandons after a timeout.
fn with_timeout(work: impl FnOnce() + Send + 'static) {
    let (done, waits) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("last-lines".to_owned()).spawn(move || {
        work();
        let _ = done.send(());
    });
    if thread.is_ok() {
        let _ = waits.recv_timeout(LAST_LINES);
    }
}

impl Queue {
    /// Creates a queue that writes to standard error.
    pub(super) fn start() -> (Self, Rest) {
        Self::before(io::stderr(), LINES)
    }

    fn before(end: impl io::Write + Send + 'static, lines: usize) -> (Self, Rest) {
        let builder = NonBlockingBuilder::default();
        let builder = builder.lossy(true).buffered_lines_limit(lines).thread_name("log");
        let (writer, guard) = builder.finish(end);
        NO_ROOM.get_or_init(|| writer.error_counter());
        (Self(writer), Rest(Some(guard)))
    }
}

impl io::Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if LONGEST < line.len() {
            TOO_LONG.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        self.0.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let guard = self.0.take();
        // The guard has its own timeout, but reports it on standard output, which may be the blocked pipe.
        with_timeout(move || drop(guard));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Much longer than the timeout for the reader. A wait that takes longer never ends.
    const TIMEOUT: Duration = Duration::from_mins(2);

    /// A reader that accepts a line only when the test allows it.
    struct Stuck(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_reader_does_not_block_the_log() {
        let (go, gone) = channel();
        let (written, lines) = channel();
        let (mut queue, rest) = Queue::before(Stuck(gone, written), 8);
        let before = dropped_lines();
        for line in 0..100 {
            queue.write_all(format!("{line}\n").as_bytes()).expect("the queue accepts all lines");
        }
        queue.write_all(&vec![b'x'; LONGEST + 1]).expect("the queue accepts all lines");
        // The reader may already hold one line in addition to the queue.
        assert!(dropped_lines() - before >= 92, "{before} {}", dropped_lines());

        let begun = Instant::now();
        drop(rest);
        assert!(begun.elapsed() < TIMEOUT, "the end waited for the reader");

        drop(go);
        assert_eq!(lines.recv_timeout(TIMEOUT).expect("the first line"), b"0\n");
    }

    #[test]
    fn dropped_lines_are_reported_at_most_once_a_second() {
        let reports = DropReports::default();
        let begun = Instant::now();
        let due =
            |dropped, seconds| reports.due_of(dropped, begun + Duration::from_secs_f64(seconds));
        assert_eq!(due(0, 0.0), None);
        assert_eq!(due(3, 0.1), Some(3));
        assert_eq!(due(7, 0.9), None);
        assert_eq!(due(7, 1.2), Some(7));
        assert_eq!(due(7, 5.0), None);
    }

    #[test]
    fn waiting_lines_are_written_before_the_end() {
        let (go, gone) = channel();
        let (written, lines) = channel();
        let (mut queue, rest) = Queue::before(Stuck(gone, written), 8);
        for line in 0..5 {
            queue.write_all(format!("{line}\n").as_bytes()).expect("the queue accepts all lines");
            go.send(()).expect("it is read");
        }
        drop(rest);
        assert_eq!(lines.try_iter().count(), 5);
    }
}
