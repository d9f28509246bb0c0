//! Runs blocking work off the async threads.

use std::panic::resume_unwind;
use std::{io, thread};

use tokio::sync::oneshot;

/// The number of bytes that can be hashed or parsed in some 50 µs. For fewer bytes, a thread switch does not pay.
pub(crate) const SMALL: usize = 64 << 10;

/// Runs a computation on a blocking thread. It runs to its end, even if its caller is dropped.
///
/// A panic is passed on to the caller.
pub(crate) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(err) => match err.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(err) => unreachable!("the task is never cancelled: {err}"),
        },
    }
}

/// Runs file operations on a new thread, because a disk may hang: no other work waits for them.
///
/// # Errors
///
/// If no thread can be created, or the work panics.
pub async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new().name("blocking".to_owned()).spawn(move || {
        let _ = sender.send(work());
    })?;
    done.await.map_err(|_| io::Error::other("it panicked"))
}
