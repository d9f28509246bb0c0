//! One connection: how its requests meet the routes, and how it ends.

pub(crate) mod answers;
pub(crate) mod bodies;
pub(crate) mod crowd;
pub(crate) mod head;
pub(crate) mod life;
pub(crate) mod listen;
pub(crate) mod receiving;
pub(crate) mod tls;
pub(crate) mod wire;

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
use crate::http::connection::head::Noting;
use crate::http::connection::life::{InFlight, Life};
use crate::http::connection::tls::Tls;
use crate::http::connection::wire::Flawed;
use crate::ops::stop::Phase;

/// How long a connection that idled and was asked to end may take to, while it has no request.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client that has only just come has for its first request once a drain has begun: it may be on its way.
const FIRST: Duration = Duration::from_millis(500);

/// What it takes to serve one connection.
pub(crate) struct Connection {
    pub(crate) http: Arc<Builder<TokioExecutor>>,
    pub(crate) routes: Router,
    pub(crate) life: Arc<Life>,
    pub(crate) times: Times,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// How patient a connection is. It looks at the shorter of the last two so often, so that those may take twice as long.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// How long it may have no request.
    pub(crate) idle: Duration,
    /// How long its first byte, and each request's head, may take to arrive.
    pub(crate) head: Duration,
    /// How long its client may take nothing of an answer.
    pub(crate) answer: Duration,
}

impl Connection {
    /// Serves a client who speaks TLS, unless a drain begins before hands are shaken.
    pub(crate) async fn serve_tls(mut self, stream: TcpStream, tls: &Tls) -> Option<Ended> {
        let stream = tokio::select! {
            stream = tls.accept(stream) => stream,
            why = self.life.told() => return Some(why),
            () = told_to_end(&mut self.phase, None) => None,
        };
        self.serve(stream?).await
    }

    /// Serves a client until the connection ends; tells why, where that was our doing.
    pub(crate) async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    ) -> Option<Ended> {
        let Self { http, routes, life, times, phase } = self;
        let answers = answers(routes, life.clone());
        let stream = TokioIo::new(Noting::new(stream, life.head.clone()));
        drive(http.serve_connection(stream, answers), &life, times, phase).await
    }
}

/// The routes as one connection's requests meet them: each bears what is known of its connection, and what only a
/// connection sees.
fn answers(
    routes: Router,
    life: Arc<Life>,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
{
    let routes = TowerToHyperService::new(routes);
    service_fn(move |mut request: Request<Incoming>| {
        let in_flight = InFlight::begin(life.clone());
        // HTTP/2 has no such header: its connections are told otherwise, when the drain begins.
        let can_be_told = request.version() < Version::HTTP_2;
        if !can_be_told {
            life.speaks_http2();
        }
        if let Some(flawed) = Flawed::find(&mut request, life.is_crowding()) {
            request.extensions_mut().insert(flawed);
        }
        request.extensions_mut().insert(life.clone());
        let answer = routes.call(request);
        async move {
            let mut response: Response = answer.await?;
            if can_be_told && in_flight.life().is_closing() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

/// Serves a connection until it ends. A drain asks it to end after what is in flight, and so does having no request
/// for too long: before the first or between two. One whose client says nothing at all, is too long at a head, or takes
/// nothing of an answer is dropped, and so is one that is told to end.
async fn drive(
    connection: impl GracefulConnection,
    life: &Life,
    times: Times,
    mut phase: watch::Receiver<Phase>,
) -> Option<Ended> {
    let mut connection = pin!(connection);
    let opened = Instant::now();
    let look = times.head.min(times.answer);
    let mut why = None;
    let mut asked_to_end = false;
    let mut patience = times.idle;
    let mut due = opened + patience.min(look);
    loop {
        tokio::select! {
            biased;
            // A client that breaks off is no error of ours.
            _ = &mut connection => return why,
            told = life.told() => {
                // An HTTP/2 client can be told as long as it reads; nobody waits for it to hear.
                connection.as_mut().graceful_shutdown();
                let _ = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context))).await;
                return Some(told);
            }
            () = told_to_end(&mut phase, Some(life)), if !asked_to_end => {}
            () = sleep_until(due) => {
                let now = Instant::now();
                let end = life.idle_since().unwrap_or(now) + patience;
                if let Some(overdue) = times.overdue(life, opened, now) {
                    return Some(overdue);
                }
                if end <= now && asked_to_end {
                    return Some(Ended::Idle);
                }
                if now < end {
                    due = end.min(now + look);
                    continue;
                }
                why = Some(Ended::Idle);
                patience = PATIENCE.min(times.idle);
                due = now + patience.min(look);
            }
        }
        connection.as_mut().graceful_shutdown();
        asked_to_end = true;
    }
}

impl Times {
    /// What its client has taken too long for.
    fn overdue(self, life: &Life, opened: Instant, now: Instant) -> Option<Ended> {
        let stalled = life.stalled_since().is_some_and(|since| since + self.answer <= now);
        if stalled {
            Some(Ended::Stalled)
        } else if life.head.is_silent() && opened + self.head <= now {
            Some(Ended::Silent)
        } else if self.head <= life.head_takes() {
            Some(Ended::Head)
        } else {
            None
        }
    }
}

/// Waits for a drain, and, where there was no request yet, a little longer: to end such a connection is to refuse it.
async fn told_to_end(phase: &mut watch::Receiver<Phase>, life: Option<&Life>) {
    let _ = phase.wait_for(|it| Phase::Draining <= *it).await;
    if life.is_none_or(Life::is_new) {
        sleep(FIRST).await;
    }
}
