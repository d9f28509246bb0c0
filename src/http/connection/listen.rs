//! Connections: how many there may be, how long they may idle, how they end.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::crowd::{Crowd, Room};
use super::life::{Life, Traffic};
use super::tls::Tls;
use super::{Connection, Times};
use crate::http::metrics::Connections;
use crate::ops::settings::Server;
use crate::ops::stop::Phase;

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
    /// Connections at once; for more, the one that has idled for longest is ended.
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
    let times = Times {
        idle: settings.idle_timeout(),
        head: settings.head_timeout(),
        answer: settings.answer_timeout(),
    };
    let Port { listener, most, tls, connections } = port;
    let crowd = Crowd::new(most.get());
    let traffic = Arc::new(Traffic::default());
    let begin = |stream, room| {
        let life = Life::new(traffic.clone());
        let place = crowd.place(room, life.clone());
        let connection = Connection {
            http: http.clone(),
            routes: routes.clone(),
            life,
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
            if let Some(why) = ended {
                connections.ended(why);
            }
            drop((open, place));
        });
    };
    let mut changes = phase.clone();
    // One that was accepted, and for which room is made.
    let mut next = None;
    loop {
        tokio::select! {
            stream = accept(&listener), if next.is_none() => next = Some(stream),
            room = crowd.room(), if next.is_some() => {
                if let Some(stream) = next.take() {
                    begin(stream, room);
                }
            }
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
    for (stream, room) in latecomers(next, listener, &crowd) {
        begin(stream, room);
    }
    tokio::select! {
        () = crowd.gone() => CutOff::default(),
        _ = changes.wait_for(|it| *it == Phase::Over) => CutOff {
            requests: traffic.in_flight(),
            connections: crowd.size(),
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

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    /// What it takes for others to give back what the system has run out of.
    const RECOVERY: Duration = Duration::from_millis(100);

    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without this, an answer waits for the client's acknowledgement of its head.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(err) if is_the_clients(&err) => {}
            Err(err) => {
                tracing::error!(%err, "no connection can be accepted for now");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Closes the port, and gives those who had connected by then, so far as there is room for them: first the one that was
/// accepted.
///
/// The system is asked itself: tokio knows of connections only since it last looked.
fn latecomers(
    accepted: Option<TcpStream>,
    listener: TcpListener,
    crowd: &Crowd,
) -> Vec<(TcpStream, Room)> {
    let mut latecomers: Vec<_> =
        accepted.and_then(|it| Some((it, crowd.try_room()?))).into_iter().collect();
    let Ok(listener) = listener.into_std() else { return latecomers };
    while let Some(room) = crowd.try_room() {
        let Ok((stream, _)) = listener.accept() else { break };
        let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream))
        else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        latecomers.push((stream, room));
    }
    latecomers
}

/// Whether a client just left before it was accepted.
fn is_the_clients(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
