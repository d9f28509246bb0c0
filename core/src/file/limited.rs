//! Waiting for files, but not for ever.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many threads that are overdue files of one purpose may hold. One would be enough for what fails once; the others
/// are for whoever puts another file in the place of one that does not answer.
const MOST_HELD: usize = 4;

/// Work with the files of one purpose, each piece of which is waited for no longer than a limit.
///
/// A file system that is gone holds whoever asks it, and nothing calls a thread back from there. So each piece has a
/// thread of its own, which is left behind after the limit; where several are, no more are begun.
pub struct Limited {
    left_behind: AtomicUsize,
}

/// One thread: whether it is waited for.
struct Piece {
    of: &'static AtomicUsize,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    WaitedFor,
    LeftBehind,
    Ended,
}

/// Ends a piece, also by a panic.
struct End(Arc<Piece>);

impl Limited {
    /// Nothing is left behind yet.
    #[expect(clippy::new_without_default, reason = "it is for statics, which Default is not")]
    pub const fn new() -> Self {
        Self { left_behind: AtomicUsize::new(0) }
    }

    /// Does a piece of work, and waits for it up to the limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`], if it takes longer, or if several earlier pieces still do not come back.
    pub fn run<T: Send + 'static>(
        &'static self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if MOST_HELD <= self.left_behind.load(Ordering::Acquire) {
            let why = "earlier reads have not come back yet, so no other is begun";
            return Err(io::Error::new(ErrorKind::TimedOut, why));
        }
        let piece = Arc::new(Piece { of: &self.left_behind, state: Mutex::new(State::WaitedFor) });
        let end = End(piece.clone());
        let (sender, done) = mpsc::sync_channel(1);
        thread::Builder::new().name("files".to_owned()).spawn(move || {
            let outcome = work();
            drop(end);
            // Whoever asked may have gone.
            let _ = sender.send(outcome);
        })?;
        done.recv_timeout(limit).map_err(|err| match err {
            RecvTimeoutError::Timeout => {
                piece.leave_behind();
                let why = format!("it did not come within {} ms", limit.as_millis());
                io::Error::new(ErrorKind::TimedOut, why)
            }
            RecvTimeoutError::Disconnected => io::Error::other("reading it panicked"),
        })
    }
}

impl Piece {
    fn leave_behind(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::WaitedFor {
            *state = State::LeftBehind;
            self.of.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::LeftBehind {
            self.0.of.fetch_sub(1, Ordering::AcqRel);
        }
        *state = State::Ended;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn what_hangs_is_left_behind_and_several_of_it_stop_what_comes() {
        static LIMITED: Limited = Limited::new();
        let (gates, hung): (Vec<_>, Vec<_>) = (0..MOST_HELD).map(|_| mpsc::channel::<()>()).unzip();
        for gate in hung {
            assert_eq!(LIMITED.run(LONG, || 7).expect("there is room"), 7);
            let ended = LIMITED.run(Duration::from_millis(1), move || gate.recv());
            assert_eq!(ended.expect_err("it hangs").kind(), ErrorKind::TimedOut);
        }
        let refused = LIMITED.run(LONG, || ()).expect_err("all are held");
        assert!(refused.to_string().contains("earlier reads"), "{refused}");

        drop(gates);
        let begun = Instant::now();
        while 0 < LIMITED.left_behind.load(Ordering::Acquire) {
            assert!(begun.elapsed() < LONG, "what was left behind has not ended within {LONG:?}");
            thread::yield_now();
        }
        assert_eq!(LIMITED.run(LONG, || 7).expect("none is left behind"), 7);
    }

    #[test]
    fn those_that_are_waited_for_may_be_many() {
        static LIMITED: Limited = Limited::new();
        let (gates, hung): (Vec<_>, Vec<_>) =
            (0..4 * MOST_HELD).map(|_| mpsc::channel::<()>()).unzip();
        thread::scope(|scope| {
            let (begun, running) = mpsc::channel();
            for gate in hung {
                let begun = begun.clone();
                scope.spawn(move || {
                    let work = move || begun.send(()).is_ok() && gate.recv().is_err();
                    assert!(LIMITED.run(LONG, work).expect("none is left behind"));
                });
            }
            for _ in &gates {
                running.recv_timeout(LONG).expect("each of them begins");
            }
            drop(gates);
        });
    }

    #[test]
    fn a_panic_is_an_error_and_leaves_nothing_behind() {
        static LIMITED: Limited = Limited::new();
        for _ in 0..2 * MOST_HELD {
            let ended = LIMITED.run(LONG, || assert!(std::hint::black_box(false), "on purpose"));
            assert!(ended.expect_err("it panics").to_string().contains("panicked"));
        }
        assert_eq!(LIMITED.left_behind.load(Ordering::Acquire), 0);
    }
}
