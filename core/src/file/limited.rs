//! File access with a timeout.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The largest number of overdue threads for one purpose. One is enough for a single failure. The others allow an
/// operator to replace a file that hangs.
const MAX_ABANDONED: usize = 4;

/// Runs file operations for one purpose, each with a timeout.
///
/// An unreachable file system blocks the calling thread, and nothing can interrupt that thread. Each operation
/// therefore runs on its own thread, which is abandoned after the timeout. Once several threads are abandoned,
/// no further operation starts.
pub struct Limited {
    abandoned: AtomicUsize,
}

/// One operation's thread: whether a caller still waits for it.
struct Operation {
    of: &'static AtomicUsize,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    WaitedFor,
    Abandoned,
    Ended,
}

/// Marks an operation as ended when it is dropped, also by a panic.
struct End(Arc<Operation>);

impl Limited {
    /// Creates the counter with no abandoned threads.
    #[expect(
        clippy::new_without_default,
        reason = "statics need a const constructor, which Default is not"
    )]
    pub const fn new() -> Self {
        Self { abandoned: AtomicUsize::new(0) }
    }

    /// Runs an operation and waits for it up to the timeout.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`] if the operation takes longer, or if too many earlier operations still hang.
    pub fn run<T: Send + 'static>(
        &'static self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if MAX_ABANDONED <= self.abandoned.load(Ordering::Acquire) {
            let why = "earlier reads still hang, so no further read is started";
            return Err(io::Error::new(ErrorKind::TimedOut, why));
        }
        let operation =
            Arc::new(Operation { of: &self.abandoned, state: Mutex::new(State::WaitedFor) });
        let end = End(operation.clone());
        let (sender, done) = mpsc::sync_channel(1);
        thread::Builder::new().name("files".to_owned()).spawn(move || {
            let outcome = work();
            drop(end);
            // The caller may have stopped waiting.
            let _ = sender.send(outcome);
        })?;
        done.recv_timeout(limit).map_err(|err| match err {
            RecvTimeoutError::Timeout => {
                operation.abandon();
                let why = format!("it was not read within {} ms", limit.as_millis());
                io::Error::new(ErrorKind::TimedOut, why)
            }
            RecvTimeoutError::Disconnected => io::Error::other("reading it panicked"),
        })
    }
}

impl Operation {
    fn abandon(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::WaitedFor {
            *state = State::Abandoned;
            self.of.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::Abandoned {
            self.0.of.fetch_sub(1, Ordering::AcqRel);
        }
        *state = State::Ended;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(1);

    #[test]
    fn hanging_operations_are_abandoned_and_several_of_them_block_new_ones() {
        static LIMITED: Limited = Limited::new();
        let (gates, hung): (Vec<_>, Vec<_>) =
            (0..MAX_ABANDONED).map(|_| mpsc::channel::<()>()).unzip();
        for gate in hung {
            assert_eq!(LIMITED.run(TIMEOUT, || 7).expect("there is room"), 7);
            let ended = LIMITED.run(Duration::from_millis(1), move || gate.recv());
            assert_eq!(ended.expect_err("it hangs").kind(), ErrorKind::TimedOut);
        }
        let refused = LIMITED.run(TIMEOUT, || ()).expect_err("too many hang");
        assert!(refused.to_string().contains("earlier reads"), "{refused}");

        drop(gates);
        let begun = Instant::now();
        while 0 < LIMITED.abandoned.load(Ordering::Acquire) {
            assert!(
                begun.elapsed() < TIMEOUT,
                "an abandoned operation has not ended within {TIMEOUT:?}"
            );
            thread::yield_now();
        }
        assert_eq!(LIMITED.run(TIMEOUT, || 7).expect("none is abandoned"), 7);
    }

    #[test]
    fn operations_with_a_waiting_caller_are_not_limited() {
        static LIMITED: Limited = Limited::new();
        let (gates, hung): (Vec<_>, Vec<_>) =
            (0..4 * MAX_ABANDONED).map(|_| mpsc::channel::<()>()).unzip();
        thread::scope(|scope| {
            let (begun, running) = mpsc::channel();
            for gate in hung {
                let begun = begun.clone();
                scope.spawn(move || {
                    let work = move || begun.send(()).is_ok() && gate.recv().is_err();
                    assert!(LIMITED.run(TIMEOUT, work).expect("none is abandoned"));
                });
            }
            for _ in &gates {
                running.recv_timeout(TIMEOUT).expect("each of them begins");
            }
            drop(gates);
        });
    }

    #[test]
    fn a_panic_is_an_error_and_abandons_no_thread() {
        static LIMITED: Limited = Limited::new();
        for _ in 0..2 * MAX_ABANDONED {
            let ended = LIMITED.run(TIMEOUT, || assert!(std::hint::black_box(false), "on purpose"));
            assert!(ended.expect_err("it panics").to_string().contains("panicked"));
        }
        assert_eq!(LIMITED.abandoned.load(Ordering::Acquire), 0);
    }
}
