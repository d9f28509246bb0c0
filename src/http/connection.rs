//! One connection: how its requests are counted, and how it ends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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

use super::tls::Tls;
use crate::stop::Phase;
use crate::telemetry::milliseconds;

/// How long a connection that was asked to end may take to, while it has no request.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client that has only just come has for its first request once a drain has begun: it may be on its way.
const FIRST: Duration = Duration::from_millis(500);

/// What all connections of a listener share.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Whether each answer ends its connection.
    closing: AtomicBool,
    in_flight: AtomicUsize,
}

/// What it takes to serve one connection.
pub(super) struct Connection {
    pub(super) http: Arc<Builder<TokioExecutor>>,
    pub(super) routes: Router,
    pub(super) traffic: Arc<Traffic>,
    /// How long it may have no request.
    pub(super) idle: Duration,
    pub(super) phase: watch::Receiver<Phase>,
}

/// What is known of one connection.
struct Life {
    traffic: Arc<Traffic>,
    begun: Instant,
    in_flight: AtomicUsize,
    /// When it last had an answer, in milliseconds from its begin.
    answered: AtomicU64,
}

/// A request in flight, until it has its answer or is dropped.
struct InFlight(Arc<Life>);

impl Traffic {
    /// From now on each answer ends its connection.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// How many requests wait for their answer.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Serves a client who speaks TLS, unless a drain begins before hands are shaken.
    pub(super) async fn serve_tls(mut self, stream: TcpStream, tls: &Tls) {
        let stream = tokio::select! {
            stream = tls.accept(stream) => stream,
            () = told_to_end(&mut self.phase, None) => None,
        };
        if let Some(stream) = stream {
            self.serve(stream).await;
        }
    }

    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self { http, routes, traffic, idle, phase } = self;
        let life = Life::new(traffic);
        let answers = answers(routes, life.clone());
        drive(http.serve_connection(TokioIo::new(stream), answers), life, idle, phase).await;
    }
}

impl Life {
    fn new(traffic: Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self {
            traffic,
            begun: Instant::now(),
            in_flight: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
        })
    }

    /// Whether it has had no request so far.
    fn is_new(&self) -> bool {
        self.idle_since() == Some(self.begun)
    }

    /// Since when it has had no request; `None` while it has one.
    fn idle_since(&self) -> Option<Instant> {
        let idle = self.in_flight.load(Ordering::Acquire) == 0;
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        idle.then(|| self.begun + answered)
    }
}

impl InFlight {
    fn begin(life: Arc<Life>) -> Self {
        life.in_flight.fetch_add(1, Ordering::Relaxed);
        life.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(life)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Life { traffic, begun, in_flight, answered } = self.0.as_ref();
        let now = milliseconds(begun.elapsed());
        answered.store(now, Ordering::Relaxed);
        in_flight.fetch_sub(1, Ordering::Release);
        traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The routes as one connection's requests meet them.
fn answers(
    routes: Router,
    life: Arc<Life>,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
{
    let routes = TowerToHyperService::new(routes);
    service_fn(move |request: Request<Incoming>| {
        let in_flight = InFlight::begin(life.clone());
        // HTTP/2 has no such header: its connections are told otherwise, when the drain begins.
        let can_be_told = request.version() < Version::HTTP_2;
        let answer = routes.call(request);
        async move {
            let mut response: Response = answer.await?;
            if can_be_told && in_flight.0.traffic.closing.load(Ordering::Relaxed) {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

/// Serves a connection until it ends. A drain asks it to end after what is in flight, and so does having no request
/// for too long: before the first, between two, or while its client does not take the answer.
async fn drive(
    connection: impl GracefulConnection,
    life: Arc<Life>,
    idle: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connection = pin!(connection);
    let mut asked_to_end = false;
    let mut due = life.begun + idle;
    loop {
        tokio::select! {
            biased;
            // A client that breaks off is no error of ours.
            _ = &mut connection => return,
            () = told_to_end(&mut phase, Some(&life)), if !asked_to_end => {}
            () = sleep_until(due) => {
                let patience = if asked_to_end { PATIENCE.min(idle) } else { idle };
                due = life.idle_since().unwrap_or_else(Instant::now) + patience;
                if Instant::now() < due {
                    continue;
                }
                if asked_to_end {
                    return;
                }
                due = Instant::now() + PATIENCE.min(idle);
            }
        }
        connection.as_mut().graceful_shutdown();
        asked_to_end = true;
    }
}

/// Waits for a drain, and, where there was no request yet, a little longer: to end such a connection is to refuse it.
async fn told_to_end(phase: &mut watch::Receiver<Phase>, life: Option<&Life>) {
    let _ = phase.wait_for(|it| Phase::Draining <= *it).await;
    if life.is_none_or(Life::is_new) {
        sleep(FIRST).await;
    }
}
