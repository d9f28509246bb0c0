//! How long a client takes to send a request's head. hyper has only one timeout for this and for idling.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// When the head began that is still arriving.
pub(crate) struct Head {
    start: Instant,
    /// In nanoseconds after `start`; 0 if no head is arriving.
    begun: AtomicU64,
    /// Whether the client has sent any byte.
    has_received: AtomicBool,
}

/// A stream that records when a head begins. The code that receives the request records its [end](Head::complete).
pub(crate) struct HeadTimed<S> {
    stream: S,
    head: Arc<Head>,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            begun: AtomicU64::new(0),
            has_received: AtomicBool::new(false),
        }
    }

    /// How long the current head has been arriving; `None` if none is.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        let begun = Some(self.begun.load(Ordering::Relaxed)).filter(|begun| 0 < *begun)?;
        Some(self.start.elapsed().saturating_sub(Duration::from_nanos(begun)))
    }

    /// Whether the client has not sent a single byte.
    pub(crate) fn is_silent(&self) -> bool {
        !self.has_received.load(Ordering::Relaxed)
    }

    /// Records that the head is complete.
    pub(crate) fn complete(&self) {
        self.begun.store(0, Ordering::Relaxed);
    }

    fn received(&self) {
        self.has_received.store(true, Ordering::Relaxed);
        if self.begun.load(Ordering::Relaxed) == 0 {
            let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.begun.store(now.max(1), Ordering::Relaxed);
        }
    }
}

impl<S> HeadTimed<S> {
    pub(crate) fn new(stream: S, head: Arc<Head>) -> Self {
        Self { stream, head }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadTimed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if before < buffer.filled().len() {
            self.head.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadTimed<S> {
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
