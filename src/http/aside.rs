//! Work that would hold other requests up, done off the async threads.

use std::panic::resume_unwind;

/// As many bytes as are digested or parsed in some 50 µs: less is not worth a change of threads.
pub(super) const SMALL: usize = 64 << 10;

/// Does work on a thread where it holds nobody up. Once begun it ends, even if its caller has gone.
///
/// Its panic is its caller's.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(err) => match err.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(err) => unreachable!("nobody cancels it: {err}"),
        },
    }
}
