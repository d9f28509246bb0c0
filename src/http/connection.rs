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

use super::head::{Head, Noting};
use super::tls::Tls;
use crate::stop::Phase;
use crate::telemetry::milliseconds;

/// How long a connection that idled and was asked to end may take to, while it has no request.
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
    pub(super) times: Times,
    pub(super) phase: watch::Receiver<Phase>,
}

/// How patient a connection is.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// How long it may have no request.
    pub(super) idle: Duration,
    /// How long a request's head may take to arrive. It is looked at so often, so that it may take twice as long.
    pub(super) head: Duration,
}

/// What is known of one connection.
struct Life {
    traffic: Arc<Traffic>,
    begun: Instant,
    /// The head that is being read; of HTTP/1 alone, as what HTTP/2 sends while it idles is not told from one.
    head: Arc<Head>,
    is_http2: AtomicBool,
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
        let Self { http, routes, traffic, times, phase } = self;
        let life = Life::new(traffic);
        let answers = answers(routes, life.clone());
        let stream = TokioIo::new(Noting::new(stream, life.head.clone()));
        drive(http.serve_connection(stream, answers), life, times, phase).await;
    }
}

impl Life {
    fn new(traffic: Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self {
            traffic,
            begun: Instant::now(),
            head: Arc::new(Head::new()),
            is_http2: AtomicBool::new(false),
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

    /// How long its client has been at the head of its next request; zero while it is at none.
    fn head_takes(&self) -> Duration {
        let waits = self.idle_since().is_some() && !self.is_http2.load(Ordering::Relaxed);
        self.head.taking().filter(|_| waits).unwrap_or_default()
    }
}

impl InFlight {
    fn begin(life: Arc<Life>) -> Self {
        life.in_flight.fetch_add(1, Ordering::Relaxed);
        life.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        life.head.came();
        Self(life)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Life { traffic, begun, head, in_flight, answered, .. } = self.0.as_ref();
        // What came meanwhile was the request's body.
        head.came();
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
        if !can_be_told {
            life.is_http2.store(true, Ordering::Relaxed);
        }
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
/// for too long: before the first, between two, or while its client does not take the answer. One whose client is too long
/// at a head is dropped.
async fn drive(
    connection: impl GracefulConnection,
    life: Arc<Life>,
    Times { idle, head }: Times,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connection = pin!(connection);
    let mut asked_to_end = false;
    let mut patience = idle;
    let mut due = life.begun + idle.min(head);
    loop {
        tokio::select! {
            biased;
            // A client that breaks off is no error of ours.
            _ = &mut connection => return,
            () = told_to_end(&mut phase, Some(&life)), if !asked_to_end => {}
            () = sleep_until(due) => {
                let now = Instant::now();
                let end = life.idle_since().unwrap_or(now) + patience;
                if head <= life.head_takes() || (end <= now && asked_to_end) {
                    return;
                }
                if now < end {
                    due = end.min(now + head);
                    continue;
                }
                patience = PATIENCE.min(idle);
                due = now + patience.min(head);
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
