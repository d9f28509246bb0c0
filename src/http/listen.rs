//! Connections: how many there may be, how long they may idle, how they end.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::connection::{Connection, Times, Traffic};
use super::metrics::Connections;
use super::tls::Tls;
use crate::settings::Server;
use crate::stop::Phase;

/// What a connection may buffer of what it reads, in bytes; a longer head is refused.
const BUFFER: usize = 64 << 10;

/// The most bytes of an HTTP/2 request's headers.
const HEADERS: u32 = 16 << 10;

/// What may come of one HTTP/2 request's body, and of all of a connection, before anybody reads it, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

/// Requests that an HTTP/2 client may have taken back before anybody looked at them, and streams in which it broke the
/// rules; beyond those its connection ends, as they cost it less than us.
const RESETS: usize = 20;

/// What a stop left undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutOff {
    /// Requests that had no answer yet.
    pub requests: usize,
    /// Connections that were still open.
    pub connections: usize,
}

/// Where connections come in.
pub struct Port {
    /// What has been bound.
    pub listener: TcpListener,
    /// Connections at once; more wait to be accepted.
    pub most: NonZeroUsize,
    /// The certificate, where TLS is spoken.
    pub tls: Option<Arc<Tls>>,
    /// What counts them.
    pub connections: Connections,
}

/// Serves until the stop is over, or as soon as nothing is left to drain.
pub async fn serve(
    port: Port,
    routes: Router,
    settings: &Server,
    phase: watch::Receiver<Phase>,
) -> CutOff {
    let http = Arc::new(http(settings));
    let times = Times { idle: settings.idle_timeout(), head: settings.head_timeout() };
    let Port { listener, most, tls, connections } = port;
    let most = u32::try_from(most.get()).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(most as usize));
    let traffic = Arc::new(Traffic::default());
    let begin = |stream, place| {
        let connection = Connection {
            http: http.clone(),
            routes: routes.clone(),
            traffic: traffic.clone(),
            times,
            phase: phase.clone(),
        };
        let tls = tls.clone();
        let open = connections.begin();
        tokio::spawn(async move {
            match tls {
                None => connection.serve(stream).await,
                Some(tls) => connection.serve_tls(stream, &tls).await,
            }
            drop((open, place));
        });
    };
    let mut changes = phase.clone();
    loop {
        tokio::select! {
            (stream, place) = accept(&listener, &room) => begin(stream, place),
            told = changes.changed() => {
                let phase = told.map_or(Phase::Over, |()| *changes.borrow_and_update());
                if phase != Phase::Serving {
                    traffic.close();
                }
                if Phase::Draining <= phase {
                    break;
                }
            }
        }
    }
    for (stream, place) in latecomers(listener, &room) {
        begin(stream, place);
    }
    tokio::select! {
        // All places are free again once all connections have ended.
        _ = room.acquire_many(most) => CutOff::default(),
        _ = changes.wait_for(|it| *it == Phase::Over) => CutOff {
            requests: traffic.in_flight(),
            connections: most as usize - room.available_permits(),
        },
    }
}

/// HTTP/1.1, and HTTP/2 for those who begin with its preface, within limits.
fn http(settings: &Server) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle_timeout())
        .max_buf_size(BUFFER);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2_max_streams.get())
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(settings.http2_ping_interval())
        .keep_alive_timeout(settings.http2_ping_timeout());
    http
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    /// What it takes for others to give back what the system has run out of.
    const RECOVERY: Duration = Duration::from_millis(100);

    let place = room.clone().acquire_owned().await.expect("never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without this, an answer waits for the client's acknowledgement of its head.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(err) if is_the_clients(&err) => {}
            Err(err) => {
                tracing::error!(%err, "no connection can be accepted for now");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Closes the port, and gives those who had connected by then, so far as there is room for them.
///
/// The system is asked itself: tokio knows of connections only since it last looked.
fn latecomers(
    listener: TcpListener,
    room: &Arc<Semaphore>,
) -> Vec<(TcpStream, OwnedSemaphorePermit)> {
    let mut latecomers = Vec::new();
    let Ok(listener) = listener.into_std() else { return latecomers };
    while let Ok(place) = room.clone().try_acquire_owned() {
        let Ok((stream, _)) = listener.accept() else { break };
        let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream))
        else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        latecomers.push((stream, place));
    }
    latecomers
}

/// Whether a client just left before it was accepted.
fn is_the_clients(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
