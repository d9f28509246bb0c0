//! Waiting for files, but not for ever.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How many threads files of one purpose may hold. One is enough while all is well; the others are for whoever puts
/// another file in the place of one that does not answer.
const MOST_HELD: usize = 4;

/// Work with the files of one purpose, each piece of which is waited for no longer than a limit.
///
/// A file system that is gone holds whoever asks it, and nothing calls a thread back from there. So each piece has a
/// thread of its own, which is left behind after the limit; where several are held, no more are begun.
pub struct Limited {
    held: AtomicUsize,
}

/// A thread that is at work.
struct Held(&'static AtomicUsize);

impl Limited {
    /// Nothing is held yet.
    #[expect(clippy::new_without_default, reason = "it is for statics, which Default is not")]
    pub const fn new() -> Self {
        Self { held: AtomicUsize::new(0) }
    }

    /// Does a piece of work, and waits for it up to the limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`], if it takes longer, or if earlier pieces still do not come back.
    pub fn run<T: Send + 'static>(
        &'static self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let held = Held(&self.held);
        if MOST_HELD <= held.0.fetch_add(1, Ordering::AcqRel) {
            let why = "earlier reads have not come back yet, so no other is begun";
            return Err(io::Error::new(ErrorKind::TimedOut, why));
        }
        let (sender, done) = mpsc::sync_channel(1);
        thread::Builder::new().name("files".to_owned()).spawn(move || {
            let outcome = work();
            drop(held);
            // Whoever asked may have gone.
            let _ = sender.send(outcome);
        })?;
        done.recv_timeout(limit).map_err(|err| match err {
            RecvTimeoutError::Timeout => {
                let why = format!("it did not come within {} ms", limit.as_millis());
                io::Error::new(ErrorKind::TimedOut, why)
            }
            RecvTimeoutError::Disconnected => io::Error::other("reading it panicked"),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Does work on a thread of its own, so that the async threads never wait for it, and it for no other work.
///
/// # Errors
///
/// If there is no thread to be had, or the work panics.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new().name("aside".to_owned()).spawn(move || {
        let _ = sender.send(work());
    })?;
    done.await.map_err(|_| io::Error::other("it panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn what_hangs_is_left_behind_and_several_of_it_stop_what_comes() {
        static LIMITED: Limited = Limited::new();
        let (gates, hung): (Vec<_>, Vec<_>) = (0..MOST_HELD).map(|_| mpsc::channel::<()>()).unzip();
        for gate in hung {
            let ended = LIMITED.run(Duration::from_millis(1), move || gate.recv());
            assert_eq!(ended.expect_err("it hangs").kind(), ErrorKind::TimedOut);
        }
        let refused = LIMITED.run(LONG, || ()).expect_err("all are held");
        assert!(refused.to_string().contains("earlier reads"), "{refused}");

        drop(gates);
        while 0 < LIMITED.held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert_eq!(LIMITED.run(LONG, || 7).expect("nothing is held"), 7);
    }

    #[test]
    fn a_panic_is_an_error_and_holds_nothing() {
        static LIMITED: Limited = Limited::new();
        for _ in 0..2 * MOST_HELD {
            let ended = LIMITED.run(LONG, || assert!(std::hint::black_box(false), "on purpose"));
            assert!(ended.expect_err("it panics").to_string().contains("panicked"));
            while 0 < LIMITED.held.load(Ordering::Acquire) {
                thread::yield_now();
            }
        }
    }
}
