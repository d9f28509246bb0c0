//! One connection: passes its requests to the routes, and decides when it ends.

pub(crate) mod bodies;
pub(crate) mod head;
pub(crate) mod listen;
pub(crate) mod malformed;
pub(crate) mod receiving;
pub(crate) mod registry;
pub(crate) mod responses;
pub(crate) mod state;
pub(crate) mod tls;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::metrics::Ended;
use crate::http::connection::head::HeadTimed;
use crate::http::connection::malformed::MalformedHead;
use crate::http::connection::state::{ConnectionState, InFlight};
use crate::http::connection::tls::Tls;
use crate::ops::stop::Phase;

/// How long an idle connection may take to close after it was asked to.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a new connection may take for its first request once the drain has begun. The request may be on its way.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// Everything needed to serve one connection.
pub(crate) struct Connection {
    pub(crate) http: Arc<Builder<TokioExecutor>>,
    pub(crate) routes: Router,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) times: Times,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// The timeouts of a connection. The last two are checked at intervals, so they can take up to twice as long.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// How long the connection may have no request.
    pub(crate) idle: Duration,
    /// How long the first byte, and each request's head, may take to arrive.
    pub(crate) head: Duration,
    /// How long the client may take nothing of a response.
    pub(crate) response: Duration,
}

impl Connection {
    /// Serves a connection with TLS. It ends if a drain begins before the handshake is complete.
    pub(crate) async fn serve_tls(mut self, stream: TcpStream, tls: &Tls) -> Option<Ended> {
        let stream = tokio::select! {
            stream = tls.accept(stream) => stream,
            reason = self.state.end_requested() => return Some(reason),
            () = draining(&mut self.phase, None) => None,
        };
        self.serve(stream?).await
    }

    /// Serves a connection until it ends. Returns the reason if the server ended it.
    pub(crate) async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    ) -> Option<Ended> {
        let Self { http, routes, state, times, phase } = self;
        let responses = responses(routes, state.clone());
        let stream = TokioIo::new(HeadTimed::new(stream, state.head.clone()));
        drive(http.serve_connection(stream, responses), &state, times, phase).await
    }
}

/// The routes for the requests of one connection. Each request carries the connection's state, and any defect of its
/// head that only the connection can see.
fn responses(
    routes: Router,
    state: Arc<ConnectionState>,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
{
    let routes = TowerToHyperService::new(routes);
    service_fn(move |mut request: Request<Incoming>| {
        let in_flight = InFlight::begin(state.clone());
        // HTTP/2 has no `Connection: close`. Its connections learn of the drain when it begins.
        let has_close_header = request.version() < Version::HTTP_2;
        if !has_close_header {
            state.speaks_http2();
        }
        if let Some(malformed) = MalformedHead::find(&mut request, state.is_over_share()) {
            request.extensions_mut().insert(malformed);
        }
        request.extensions_mut().insert(state.clone());
        let response = routes.call(request);
        async move {
            let mut response: Response = response.await?;
            if has_close_header && in_flight.state().is_closing() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

/// Serves a connection until it ends. In a drain, it ends after the requests in flight. It also ends if it is idle for
/// too long, if the client sends nothing, if a head takes too long, if the client takes nothing of a response, or if
/// another part of the server ends it.
async fn drive(
    connection: impl GracefulConnection,
    state: &ConnectionState,
    times: Times,
    mut phase: watch::Receiver<Phase>,
) -> Option<Ended> {
    let mut connection = pin!(connection);
    let opened = Instant::now();
    let check_interval = times.head.min(times.response);
    let mut reason = None;
    let mut asked_to_end = false;
    let mut idle_limit = times.idle;
    let mut due = opened + idle_limit.min(check_interval);
    loop {
        tokio::select! {
            biased;
            // A client that disconnects is not an error of the server.
            _ = &mut connection => return reason,
            requested = state.end_requested() => {
                // An HTTP/2 client receives a GOAWAY frame if it still reads. The server does not wait for that.
                connection.as_mut().graceful_shutdown();
                let _ = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context))).await;
                return Some(requested);
            }
            () = draining(&mut phase, Some(state)), if !asked_to_end => {}
            () = sleep_until(due) => {
                let now = Instant::now();
                let end = state.idle_since().unwrap_or(now) + idle_limit;
                if let Some(overdue) = times.overdue(state, opened, now) {
                    return Some(overdue);
                }
                if end <= now && asked_to_end {
                    return Some(Ended::Idle);
                }
                if now < end {
                    due = end.min(now + check_interval);
                    continue;
                }
                reason = Some(Ended::Idle);
                idle_limit = CLOSE_TIMEOUT.min(times.idle);
                due = now + idle_limit.min(check_interval);
            }
        }
        connection.as_mut().graceful_shutdown();
        asked_to_end = true;
    }
}

impl Times {
    /// The timeout that the client has exceeded, if any.
    fn overdue(self, state: &ConnectionState, opened: Instant, now: Instant) -> Option<Ended> {
        let stalled = state.stalled_since().is_some_and(|since| since + self.response <= now);
        if stalled {
            Some(Ended::Stalled)
        } else if state.head.is_silent() && opened + self.head <= now {
            Some(Ended::Silent)
        } else if self.head <= state.head_takes() {
            Some(Ended::Head)
        } else {
            None
        }
    }
}

/// Waits for a drain. A connection without a request so far gets a little more time: closing it would lose a request.
async fn draining(phase: &mut watch::Receiver<Phase>, state: Option<&ConnectionState>) {
    let _ = phase.wait_for(|phase| Phase::Draining <= *phase).await;
    if state.is_none_or(ConnectionState::is_new) {
        sleep(FIRST_REQUEST_GRACE).await;
    }
}
