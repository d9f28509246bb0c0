//! One connection: how its requests are counted, and how it ends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use crate::stop::Phase;

/// What all connections of a listener share.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Whether each answer ends its connection.
    closing: AtomicBool,
    in_flight: AtomicUsize,
}

/// A request in flight, until it has its answer or is dropped.
struct InFlight(Arc<Traffic>);

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

impl InFlight {
    fn begin(traffic: Arc<Traffic>) -> Self {
        traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(traffic)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The routes as one connection's requests meet them.
pub(super) fn answers(
    routes: Router,
    traffic: Arc<Traffic>,
) -> impl HttpService<Incoming, ResBody = axum::body::Body, Error = Infallible, Future: Send> {
    let routes = TowerToHyperService::new(routes);
    service_fn(move |request: Request<Incoming>| {
        let in_flight = InFlight::begin(traffic.clone());
        // HTTP/2 has no such header: its connections are told otherwise, when the drain begins.
        let can_be_told = request.version() < Version::HTTP_2;
        let answer = routes.call(request);
        async move {
            let mut response: Response = answer.await?;
            if can_be_told && in_flight.0.closing.load(Ordering::Relaxed) {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

/// Serves a connection until it ends, which a drain asks it to do after what is in flight.
pub(super) async fn drive(connection: impl GracefulConnection, mut phase: watch::Receiver<Phase>) {
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        // A client that breaks off is no error of ours.
        _ = &mut connection => return,
        _ = phase.wait_for(|it| Phase::Draining <= *it) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
