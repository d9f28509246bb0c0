//! What the server reports of each request: its metrics and its log line.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use siamese_core::causes;

use crate::http::connection::state::ConnectionState;
use crate::http::error::{Fault, Problem};
use crate::http::metrics::{Route, outcome};
use crate::http::service::{LogLimits, Service};
use crate::ops::keys::Caller;
use crate::ops::telemetry::{Line, LoggedRequests, bounded};

/// What middleware nearer to the handler finds out about a request.
#[derive(Default)]
pub(crate) struct Facts {
    caller: OnceLock<Arc<Caller>>,
    bytes_in: AtomicU64,
}

/// The report of a request in progress. If it is dropped before the response, the client has disconnected.
pub(crate) struct Report<'a> {
    service: &'a Service,
    method: &'static str,
    route: Route,
    client: Option<IpAddr>,
    begun: Instant,
    facts: Arc<Facts>,
    is_answered: bool,
}

/// How a request ended.
#[derive(Clone, Copy)]
struct End<'a> {
    status: Option<StatusCode>,
    problem: Option<&'a Problem>,
    bytes_out: Option<u64>,
}

impl Facts {
    /// Records whose key the request has.
    pub(crate) fn identify(&self, caller: Arc<Caller>) {
        // A request passes the check of its key once.
        let _ = self.caller.set(caller);
    }

    /// Records a received part of the body.
    pub(crate) fn receive(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<'a> Report<'a> {
    /// Begins the report of a request, and gives the request a place for facts.
    pub(crate) fn begin(service: &'a Service, request: &mut Request) -> Self {
        let facts = Arc::new(Facts::default());
        let client =
            request.extensions().get::<Arc<ConnectionState>>().and_then(|state| state.peer);
        request.extensions_mut().insert(facts.clone());
        Self {
            service,
            method: method_name(request.method()),
            route: Route::of(request),
            client,
            begun: Instant::now(),
            facts,
            is_answered: false,
        }
    }

    /// The time since the request began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whose key the request had.
    pub(crate) fn caller(&self) -> Option<&Arc<Caller>> {
        self.facts.caller.get()
    }

    /// Counts and logs a request that has its response.
    pub(crate) fn end(mut self, response: &Response, took: Duration) {
        self.is_answered = true;
        let (status, metrics) = (response.status(), &self.service.metrics);
        let problem = response.extensions().get::<Arc<Problem>>().map(AsRef::as_ref);
        let code = problem.map_or("", |problem| problem.fault.code());
        metrics.request(&self.route, status, code, took);
        if let Some(caller) = self.caller() {
            let is_limited = matches!(problem, Some(Problem { fault: Fault::RateLimited(_), .. }));
            let outcome = if is_limited { "rate_limited" } else { outcome(status) };
            metrics.key_request(caller.name(), outcome);
        }
        let bytes_out = response.body().size_hint().exact();
        self.log(End { status: Some(status), problem, bytes_out }, took);
    }

    /// Logs one line at the level `info`: for each request, or for those that failed or were refused. Other lines are at
    /// the level `debug`.
    fn log(&self, end: End, took: Duration) {
        let (method, route, took_ms) = (self.method, self.route.as_str(), took.as_secs_f64() * 1e3);
        let End { status, problem, bytes_out } = end;
        let status = status.map(|status| status.as_u16());
        let bytes_in = self.facts.bytes_in.load(Ordering::Relaxed);
        let logs_all = self.service.settings().log.requests == LoggedRequests::All;
        // The address tells of a person, so it is logged only on request.
        let client = self.client.filter(|_| logs_all).map(tracing::field::display);
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    method,
                    route,
                    status,
                    code = problem.map(|problem| problem.fault.code()),
                    field = problem.and_then(|problem| problem.field.as_deref()).map(bounded),
                    bytes_in,
                    bytes_out,
                    took_ms,
                    client,
                    cause = problem.map(|problem| causes(&problem.fault)).as_deref().map(bounded),
                    $message
                )
            };
        }
        let is_written = self.is_written(problem, logs_all);
        match problem {
            Some(Problem { fault: Fault::Internal(_), .. }) if is_written => {
                line!(error, "request failed");
            }
            Some(Problem { fault: Fault::Internal(_), .. }) => line!(debug, "request failed"),
            Some(_) if is_written => line!(info, "request refused"),
            Some(_) => line!(debug, "request refused"),
            None if status.is_none() && is_written => line!(info, "client disconnected"),
            None if status.is_none() => line!(debug, "client disconnected"),
            None if is_written => line!(info, "request answered"),
            None => line!(debug, "request answered"),
        }
    }

    /// Whether a request is logged by default. If lines before it are missing, a line says so.
    fn is_written(&self, problem: Option<&Problem>, logs_all: bool) -> bool {
        let LogLimits { failures, refusals, drops } = &self.service.log_limits;
        if !logs_all {
            let Some(problem) = problem else { return false };
            let is_ours = matches!(problem.fault, Fault::Internal(_));
            match if is_ours { failures.line() } else { refusals.line() } {
                Line::Suppress => return false,
                Line::Write { suppressed: 0 } => {}
                Line::Write { suppressed } => {
                    tracing::warn!(suppressed, "log lines were suppressed by the rate limit");
                }
            }
        }
        if let Some(dropped) = drops.due() {
            tracing::warn!(
                dropped,
                "log lines were dropped: standard error is not read fast enough"
            );
        }
        true
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        self.service.metrics.disconnected(&self.route);
        if let Some(caller) = self.caller() {
            self.service.metrics.key_request(caller.name(), "disconnected");
        }
        self.log(End { status: None, problem: None, bytes_out: None }, self.elapsed());
    }
}

/// The name of a method. Unknown methods become `_OTHER`, because a client can invent any number of them.
pub(crate) fn method_name(method: &Method) -> &'static str {
    static KNOWN: [Method; 8] = [
        Method::GET,
        Method::POST,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::TRACE,
    ];
    KNOWN.iter().find(|known| *known == method).map_or("_OTHER", Method::as_str)
}
