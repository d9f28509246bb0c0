//! HTTP: the routes and the middleware.
//!
//! Handlers are short. Parsing, statuses and timing are in their own modules.

mod connection;
mod error;
mod metrics;
mod middleware;
mod openapi;
mod page;
mod request;
mod response;
mod routes;
mod service;

#[cfg(fuzzing)]
pub mod fuzzing;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

pub use connection::listen::{CutOff, Port, serve};
pub use connection::tls::{Tls, TlsError};
pub use metrics::{Connections, Metrics};
pub use middleware::trace::traced;
pub use service::Service;

use crate::ops::keys::Keys;
use connection::responses::UnsentResponses;
use middleware::{authorise, cors, dialect, exchange, identify, linger, malformed, secure, unsent};
use routes::protocols::inference::{infer, metadata};
use routes::protocols::openai::{embeddings, models as openai_models};
use routes::protocols::verify;
use routes::{changes, compare, compare_batch, detect, embed, models, pixels, status};

/// The most bytes of unsent responses on the admin port.
const ADMIN_UNSENT_BYTES: usize = 8 << 20;

/// The routes of the service. The health routes and the page need no key; the page asks its user for one.
///
/// Metrics are included unless the admin port serves them: see [`admin`].
pub fn router(service: Arc<Service>, keys: Arc<Keys>) -> Router {
    let work = OF_MODEL
        .into_iter()
        .fold(Router::new(), work_of_model)
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v2/models/{name}/infer", post(infer::infer))
        .route("/v2/models/{name}/versions/{version}/infer", post(infer::infer));
    let work = if service.settings().server.verify {
        work.route("/verify", post(verify::verify))
    } else {
        work
    };
    let work = work.route_layer(from_fn_with_state(service.clone(), exchange::admit));
    let mut guarded = Router::new()
        .route("/model", get(models::model))
        .route("/models", get(models::models))
        .route("/models/{model}", get(models::model))
        .route("/v1/models", get(openai_models::models))
        .route("/v1/models/{id}", get(openai_models::model))
        .route("/v2", get(metadata::server))
        .route("/v2/models/{name}", get(metadata::model))
        .route("/v2/models/{name}/ready", get(metadata::model_ready))
        .route("/v2/models/{name}/versions/{version}", get(metadata::model))
        .route("/v2/models/{name}/versions/{version}/ready", get(metadata::model_ready))
        .merge(work)
        .method_not_allowed_fallback(exchange::method_not_allowed)
        .fallback(exchange::no_route);
    if keys.are_needed() {
        let guard = Arc::new(authorise::Guard::new(keys, service.clone()));
        guarded = guarded.layer(from_fn_with_state(guard, authorise::authorise));
    }
    let open = match service.settings().server.admin_listen {
        Some(_) => health(),
        None => health().merge(metrics()),
    };
    let open = open.route("/openapi.json", get(openapi::document));
    let open = if service.settings().server.page { open.merge(page::routes()) } else { open };
    let open = open.method_not_allowed_fallback(exchange::method_not_allowed);
    let routes = open.merge(guarded);
    let cors = cors::cors(&service.settings().cors);
    let responses = service.responses.clone();
    around(routes, cors, service, responses)
}

/// The prefixes of the routes that run a model: none for the first model, and the model's name for each.
const OF_MODEL: [&str; 2] = ["", "/models/{model}"];

/// Adds the routes that run a model, below a prefix.
fn work_of_model(routes: Router<Arc<Service>>, prefix: &str) -> Router<Arc<Service>> {
    let path = |route| format!("{prefix}{route}");
    routes
        .route(&path("/compare"), post(compare::compare))
        .route(&path("/compare/batch"), post(compare_batch::compare_batch))
        .route(&path("/changes"), post(changes::changes))
        .route(&path("/embed"), post(embed::embed))
        .route(&path("/detect"), post(detect::detect))
        .route(&path("/pixels"), post(pixels::pixels))
}

/// The routes of the admin port: health and metrics.
pub fn admin(service: Arc<Service>) -> Router {
    let routes = health()
        .merge(metrics())
        .method_not_allowed_fallback(exchange::method_not_allowed)
        .fallback(exchange::no_route);
    // Separate from the main port: unsent responses there do not use up the memory here.
    around(routes, None, service, UnsentResponses::new(ADMIN_UNSENT_BYTES))
}

fn health() -> Router<Arc<Service>> {
    Router::new()
        .route("/livez", get(status::livez))
        .route(exchange::READYZ, get(status::readyz))
        .route("/v2/health/live", get(metadata::live))
        .route("/v2/health/ready", get(metadata::ready))
}

fn metrics() -> Router<Arc<Service>> {
    Router::new().route("/metrics", get(status::metrics))
}

/// Adds the middleware that every request passes through.
fn around(
    routes: Router<Arc<Service>>,
    cors: Option<CorsLayer>,
    service: Arc<Service>,
    responses: Arc<UnsentResponses>,
) -> Router {
    let mut routes = routes
        .layer(CatchPanicLayer::custom(exchange::panicked))
        .layer(from_fn_with_state(service.clone(), malformed::refuse))
        .layer(from_fn(dialect::restate))
        .layer(from_fn_with_state((service.clone(), responses), unsent::count))
        .layer(from_fn_with_state(service.clone(), linger::linger));
    if let Some(cors) = cors {
        routes = routes.layer(cors);
    }
    let routes =
        routes.layer(secure::layer()).layer(from_fn_with_state(service.clone(), exchange::observe));
    identify::identified(routes).with_state(service)
}
