//! Work with files that async threads wait for, done on threads of its own.

use std::{io, thread};

use tokio::sync::oneshot;

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
