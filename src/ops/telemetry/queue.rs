//! The log's queue: who has something to say never waits for whoever reads the log.
//!
//! A pipe that nobody reads is full after some 64 KiB, and who writes to it then waits for ever. So one thread writes,
//! what finds no room in the queue before it is dropped and counted, and no end of the program waits for it for long.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait to be written.
const LINES: usize = 4096;

/// The longest line that is written, in bytes: only a backtrace or a dependency's trace is longer.
const LONGEST: usize = 16 << 10;

/// How long the end of the program waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines that found no room.
static NO_ROOM: OnceLock<ErrorCounter> = OnceLock::new();

/// Lines that were too long.
static TOO_LONG: AtomicU64 = AtomicU64::new(0);

/// Puts lines into the queue.
#[derive(Clone)]
pub(super) struct Queue(NonBlocking);

/// The end of the log: what still waits is written when this is dropped, as far as somebody reads it.
#[must_use]
pub struct Rest(Option<WorkerGuard>);

/// How many lines were dropped, as there was no room for them or they were too long.
pub fn dropped_lines() -> u64 {
    let no_room = NO_ROOM.get().map_or(0, ErrorCounter::dropped_lines);
    TOO_LONG.load(Ordering::Relaxed).saturating_add(no_room as u64)
}

/// Says a last line on standard error; who does not read it is not waited for.
pub fn say_last(line: String) {
    in_time(move || {
        let _ = writeln!(io::stderr(), "{line}");
    });
}

/// Does what may wait for a reader, on a thread that the program's end leaves behind.
fn in_time(work: impl FnOnce() + Send + 'static) {
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
    /// A queue before standard error.
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
        // The guard's own end has a limit too, but says so on standard output, which may be the pipe that is stuck.
        in_time(move || drop(guard));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::*;

    /// Far longer than a reader is waited for; whoever waits so long waits for ever.
    const LIMIT: Duration = Duration::from_mins(2);

    /// A reader who takes a line only when it is told to.
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
    fn a_reader_who_takes_nothing_holds_nobody_up() {
        let (go, gone) = channel();
        let (written, lines) = channel();
        let (mut queue, rest) = Queue::before(Stuck(gone, written), 8);
        let before = dropped_lines();
        for line in 0..100 {
            queue.write_all(format!("{line}\n").as_bytes()).expect("it takes all");
        }
        queue.write_all(&vec![b'x'; LONGEST + 1]).expect("it takes all");
        // One may be in the reader's hand already, beside those that wait.
        assert!(dropped_lines() - before >= 92, "{before} {}", dropped_lines());

        let begun = Instant::now();
        drop(rest);
        assert!(begun.elapsed() < LIMIT, "it waited for its reader");

        drop(go);
        assert_eq!(lines.recv_timeout(LIMIT).expect("the first line"), b"0\n");
    }

    #[test]
    fn what_waits_is_written_before_the_end() {
        let (go, gone) = channel();
        let (written, lines) = channel();
        let (mut queue, rest) = Queue::before(Stuck(gone, written), 8);
        for line in 0..5 {
            queue.write_all(format!("{line}\n").as_bytes()).expect("it takes all");
            go.send(()).expect("it is read");
        }
        drop(rest);
        assert_eq!(lines.try_iter().count(), 5);
    }
}
