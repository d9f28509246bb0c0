//! Work that would hold async threads up, done on others.

use std::panic::resume_unwind;
use std::{io, thread};

use tokio::sync::oneshot;

/// As many bytes as are digested or parsed in some 50 µs: less is not worth a change of threads.
pub(crate) const SMALL: usize = 64 << 10;

/// Computes on a thread where that holds nobody up. Once begun it ends, even if its caller has gone.
///
/// Its panic is its caller's.
pub(crate) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(err) => match err.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(err) => unreachable!("nobody cancels it: {err}"),
        },
    }
}

/// Does work with files on a thread of its own, so that it waits for no other work, and none for it: a disk may hang.
///
/// # Errors
///
/// If there is no thread to be had, or the work panics.
pub async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new().name("blocking".to_owned()).spawn(move || {
        let _ = sender.send(work());
    })?;
    done.await.map_err(|_| io::Error::other("it panicked"))
}
