//! How long a client has been at a request's head: hyper has but one time for that and for idling.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// When the head began that has not yet come whole.
pub(crate) struct Head {
    start: Instant,
    /// In nanoseconds after the start; 0 where there is none.
    begun: AtomicU64,
    /// Whether the client has sent anything at all.
    heard: AtomicBool,
}

/// A stream that notes when a head begins. Its end is for whoever sees the request to [note](Head::came).
pub(crate) struct Noting<S> {
    stream: S,
    head: Arc<Head>,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), begun: AtomicU64::new(0), heard: AtomicBool::new(false) }
    }

    /// How long the client has been at it; `None` while it is at none.
    pub(crate) fn taking(&self) -> Option<Duration> {
        let begun = Some(self.begun.load(Ordering::Relaxed)).filter(|it| 0 < *it)?;
        Some(self.start.elapsed().saturating_sub(Duration::from_nanos(begun)))
    }

    /// Whether the client has not sent a single byte so far.
    pub(crate) fn is_silent(&self) -> bool {
        !self.heard.load(Ordering::Relaxed)
    }

    /// It is whole.
    pub(crate) fn came(&self) {
        self.begun.store(0, Ordering::Relaxed);
    }

    fn bytes_came(&self) {
        self.heard.store(true, Ordering::Relaxed);
        if self.begun.load(Ordering::Relaxed) == 0 {
            let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.begun.store(now.max(1), Ordering::Relaxed);
        }
    }
}

impl<S> Noting<S> {
    pub(crate) fn new(stream: S, head: Arc<Head>) -> Self {
        Self { stream, head }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if before < buffer.filled().len() {
            self.head.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
