//! HTTP: routes, and what happens around every request.
//!
//! Handlers read like their specification in the API; parsing, statuses and timing stand in files of their own.

mod accept;
mod answer;
mod aside;
mod asset;
mod authorise;
mod body;
mod bulk;
mod compare;
mod connection;
mod cors;
mod decode;
mod distinct;
mod embed;
mod error;
mod exchange;
mod flood;
#[cfg(fuzzing)]
pub mod fuzzing;
mod head;
mod linger;
mod listen;
mod many;
mod media;
mod metrics;
mod model;
mod multipart;
mod numbers;
mod openapi;
mod page;
mod pixels;
mod query;
mod secure;
mod service;
mod source;
mod status;
mod tls;
mod trace;
mod verify;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

pub use listen::{CutOff, Port, serve};
pub use metrics::{Connections, Metrics};
pub use service::Service;
pub use tls::{Tls, TlsError};
pub use trace::traced;

use crate::keys::Keys;

/// The routes of the service. Those about its health need no key, nor does the page, which asks for one.
///
/// Counters are among them unless they have a port of their own: see [`admin`].
pub fn router(service: Arc<Service>, keys: Arc<Keys>) -> Router {
    let work = Router::new()
        .route("/compare", post(compare::compare))
        .route("/compare/batch", post(bulk::bulk))
        .route("/embed", post(embed::embed))
        .route("/pixels", post(pixels::pixels));
    let work = if service.settings.server.verify {
        work.route("/verify", post(verify::verify))
    } else {
        work
    };
    let work = work.route_layer(from_fn_with_state(service.clone(), exchange::admit));
    let mut guarded = Router::new()
        .route("/model", get(model::model))
        .merge(work)
        .method_not_allowed_fallback(exchange::method_not_allowed)
        .fallback(exchange::not_found);
    if keys.are_needed() {
        let guard = Arc::new(authorise::Guard::new(keys, service.clone()));
        guarded = guarded.layer(from_fn_with_state(guard, authorise::authorise));
    }
    let open = match service.settings.server.admin_listen {
        Some(_) => health(),
        None => health().merge(metrics()),
    };
    let open = open.route("/openapi.json", get(openapi::document));
    let open = if service.settings.server.page { open.merge(page::routes()) } else { open };
    let open = open.method_not_allowed_fallback(exchange::method_not_allowed);
    let routes = open.merge(guarded);
    let cors = cors::cors(&service.settings.cors);
    around(routes, cors, service)
}

/// What is served on a port of its own, to those who look after the service.
pub fn admin(service: Arc<Service>) -> Router {
    let routes = health()
        .merge(metrics())
        .method_not_allowed_fallback(exchange::method_not_allowed)
        .fallback(exchange::not_found);
    around(routes, None, service)
}

fn health() -> Router<Arc<Service>> {
    Router::new().route("/livez", get(status::livez)).route(exchange::READYZ, get(status::readyz))
}

fn metrics() -> Router<Arc<Service>> {
    Router::new().route("/metrics", get(status::metrics))
}

/// What every request goes through.
fn around(routes: Router<Arc<Service>>, cors: Option<CorsLayer>, service: Arc<Service>) -> Router {
    let mut routes = routes
        .layer(from_fn_with_state(service.clone(), linger::linger))
        .layer(CatchPanicLayer::custom(exchange::panicked));
    if let Some(cors) = cors {
        routes = routes.layer(cors);
    }
    routes
        .layer(map_response(secure::secure))
        .layer(from_fn_with_state(service.clone(), exchange::observe))
        .layer(from_fn(exchange::identify))
        .with_state(service)
}
