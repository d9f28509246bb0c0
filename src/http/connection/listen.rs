//! The listener: accepts connections within their limit, and shuts down.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::registry::{Registry, Slot};
use super::state::{ConnectionState, Traffic};
use super::tls::Tls;
use super::{Connection, Times};
use crate::http::metrics::Connections;
use crate::ops::settings::Server;
use crate::ops::stop::Phase;

/// The largest read buffer of a connection, in bytes. A longer head is rejected.
const BUFFER: usize = 64 << 10;

/// The largest header list of an HTTP/2 request, in bytes.
const HEADERS: u32 = 16 << 10;

/// The flow-control windows of one HTTP/2 stream and of one connection, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

/// The most HTTP/2 streams that a client may reset before they are accepted, and the most streams that the server may
/// reset for protocol errors. The connection ends beyond that, because resets cost the server more than the client.
const RESETS: usize = 20;

/// What a shutdown cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutOff {
    /// Requests without a response.
    pub requests: usize,
    /// Connections that were still open.
    pub connections: usize,
}

/// A port that accepts connections.
pub struct Port {
    /// The bound socket.
    pub listener: TcpListener,
    /// The most connections at once. Beyond that, the connection that has idled longest is closed for a new one.
    pub most: NonZeroUsize,
    /// The certificate, if the port uses TLS.
    pub tls: Option<Arc<Tls>>,
    /// The metrics of its connections.
    pub connections: Connections,
}

/// Serves until the shutdown is over, or until nothing is left to drain.
pub async fn serve(
    port: Port,
    routes: Router,
    settings: &Server,
    phase: watch::Receiver<Phase>,
) -> CutOff {
    let http = Arc::new(http(settings));
    let times = Times {
        idle: settings.idle_timeout(),
        head: settings.head_timeout(),
        response: settings.response_timeout(),
    };
    let Port { listener, most, tls, connections } = port;
    let registry = Registry::new(most.get());
    let traffic = Arc::new(Traffic::default());
    let begin = |stream: TcpStream, slot| {
        let peer = stream.peer_addr().ok().map(|address| address.ip().to_canonical());
        let state = ConnectionState::new(traffic.clone(), peer);
        let registered = registry.register(slot, state.clone());
        let connection = Connection {
            http: http.clone(),
            routes: routes.clone(),
            state,
            times,
            phase: phase.clone(),
        };
        let tls = tls.clone();
        let (open, connections) = (connections.begin(), connections.clone());
        tokio::spawn(async move {
            let ended = match tls {
                None => connection.serve(stream).await,
                Some(tls) => connection.serve_tls(stream, &tls).await,
            };
            if let Some(reason) = ended {
                connections.ended(reason);
            }
            drop((open, registered));
        });
    };
    let mut changes = phase.clone();
    // The accepted connection that waits for a free slot.
    let mut next = None;
    loop {
        tokio::select! {
            stream = accept(&listener), if next.is_none() => next = Some(stream),
            slot = registry.slot(), if next.is_some() => {
                if let Some(stream) = next.take() {
                    begin(stream, slot);
                }
            }
            signal = changes.changed() => {
                let phase = signal.map_or(Phase::Over, |()| *changes.borrow_and_update());
                if phase != Phase::Serving {
                    traffic.close();
                }
                if Phase::Draining <= phase {
                    break;
                }
            }
        }
    }
    for (stream, slot) in latecomers(next, listener, &registry) {
        begin(stream, slot);
    }
    tokio::select! {
        () = registry.gone() => CutOff::default(),
        _ = changes.wait_for(|phase| *phase == Phase::Over) => CutOff {
            requests: traffic.in_flight(),
            connections: registry.size(),
        },
    }
}

/// Configures HTTP/1.1 and HTTP/2 (for clients that begin with its preface) with their limits.
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

/// Accepts the next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    /// How long to wait for a resource that the system has run out of, such as file descriptors.
    const RECOVERY: Duration = Duration::from_millis(100);

    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Nagle's algorithm would delay the body until the client acknowledges the head.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(err) if is_the_clients(&err) => {}
            Err(err) => {
                tracing::error!(%err, "cannot accept connections at the moment");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Closes the port, and returns the connections that clients had opened by then, as far as the limit allows. The one
/// that was already accepted comes first.
///
/// It asks the system directly, because tokio learns of new connections only when it polls.
fn latecomers(
    accepted: Option<TcpStream>,
    listener: TcpListener,
    registry: &Registry,
) -> Vec<(TcpStream, Slot)> {
    let mut latecomers: Vec<_> =
        accepted.and_then(|stream| Some((stream, registry.try_slot()?))).into_iter().collect();
    let Ok(listener) = listener.into_std() else { return latecomers };
    while let Some(slot) = registry.try_slot() {
        let Ok((stream, _)) = listener.accept() else { break };
        let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream))
        else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        latecomers.push((stream, slot));
    }
    latecomers
}

/// Whether the error only means that a client left before its connection was accepted.
fn is_the_clients(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
