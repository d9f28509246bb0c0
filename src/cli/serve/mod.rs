//! The command `siamese serve`.

mod descriptors;
mod reload;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use clap::Args;
use siamese_core::memory;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch as channel};

use super::{CommonArgs, Failure, Outcome};
use crate::engine::Engine;
use crate::engine::deployment::Tuning;
use crate::http::{self, Connections, CutOff, Metrics, Port, Service, Tls, router};
use crate::ops::keys::Keys;
use crate::ops::settings::{Listen, NamedModel, Settings};
use crate::ops::stop::{self, Phase, StopSignal};
use crate::ops::telemetry;
use crate::ops::traces::{Exporting, Traces, TrustError};
use reload::Reload;

/// How long shutdown waits for the collector to accept the last traces.
const LAST_TRACES_TIMEOUT: Duration = Duration::from_secs(3);

/// The most connections at once to the admin port. Only a few probes and collectors use it.
const ADMIN_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(64).expect("not 0");

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A model to serve: its ONNX file, and its name in paths if that is not the name of the file. Repeat it for several
    /// models; the first one serves requests that name none. Default: the models that come with the program.
    #[arg(long = "model", value_name = "[NAME=]FILE")]
    models: Vec<NamedModel>,
    #[command(flatten)]
    common: CommonArgs,
    /// The address and port to listen on, such as 127.0.0.1:8080, localhost:8080 or :8080 (all interfaces).
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<Listen>,
}

impl Serve {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        memory::give_back_large_blocks();
        let mut settings = self.settings()?;
        // Dropped last, so that the log includes the last lines of the shutdown.
        let _flush = telemetry::start_queued(settings.log.format, "info");
        let most = &mut settings.server.max_connections;
        *most = descriptors::fit_connections(*most);
        let keys = Arc::new(settings.auth.load().map_err(|err| Failure::caller(&err))?);
        let tls = Tls::load(&settings.tls).map_err(|err| Failure::caller(&err))?.map(Arc::new);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(async_threads())
            .enable_all()
            .build()
            .map_err(|err| Failure::machine(&err))?;
        let context = runtime.enter();
        let signals = Signals::listen().map_err(|err| Failure::machine(&err))?;
        let metrics = Arc::new(Metrics::new());
        let is_named = settings.name_models();
        let engine = Engine::load(settings, Tuning::Full, metrics.observer())?;
        let service = Arc::new(Service::new(Arc::new(engine), metrics));
        let models = move || self.models_now(is_named);
        let outcome = runtime.block_on(serve(service, keys, tls, signals, models, begun));
        drop(context);
        // Nobody waits for the images that are still being decoded.
        runtime.shutdown_background();
        outcome
    }
}

impl Serve {
    /// The settings as they are now.
    fn settings(&self) -> Result<Settings, Failure> {
        self.common.settings(self.models.clone(), self.listen.clone())
    }

    /// The models that the settings now name. If they named some at the start, a list that is empty now is a mistake.
    fn models_now(&self, named_at_start: bool) -> Result<Vec<NamedModel>, String> {
        let settings = self.settings().map_err(|err| err.to_string())?;
        if named_at_start && !settings.name_models() {
            return Err("the settings name no model any more".to_owned());
        }
        settings.served().map_err(|err| err.to_string())
    }
}

/// The number of async threads: half the cores. Reading and answering needs little work. If many requests must be
/// rejected at once, the other half of the cores still works on the admitted ones.
fn async_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2)
}

async fn serve(
    service: Arc<Service>,
    keys: Arc<Keys>,
    tls: Option<Arc<Tls>>,
    signals: Signals,
    models: impl Fn() -> Result<Vec<NamedModel>, String> + Send + Sync + 'static,
    begun: Instant,
) -> Result<Outcome, Failure> {
    let settings = service.settings();
    start_decoder(&service).await?;
    let (routes, exporting) = traced(router(service.clone(), keys.clone()), &service)
        .map_err(|err| Failure::caller(&err))?;
    let (listener, listen) = bind(&settings.server.listen).await?;
    let admin = match &settings.server.admin_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let deployments = service.engine().deployments();
    for deployment in &deployments {
        let model = &deployment.model;
        tracing::info!(
            model = deployment.name.as_str(),
            digest = model.digest,
            device = model.provider.device(),
            "the model is in service"
        );
    }
    tracing::info!(
        %listen,
        tls = tls.is_some(),
        admin_listen = admin.as_ref().map(|(_, address)| display(address)),
        models = deployments.len(),
        ready_after_ms = telemetry::milliseconds(begun.elapsed()),
        "ready"
    );
    let (sender, phase) = channel::channel(Phase::Serving);
    let stopping = {
        let (service, times) = (service.clone(), stop::Times::from(&settings.server));
        tokio::spawn(async move {
            let stop = || service.engine().readiness().stop();
            stop::run_phases(signals.stop, times, stop, &sender).await;
        })
    };
    let mut reload = Reload::new(service.engine().clone(), service.metrics().clone(), models);
    if keys.are_needed() {
        let metrics = service.metrics().clone();
        reload = reload
            .with("keys", move || keys.reload().inspect(|()| metrics.expect_keys(keys.names())));
    } else if !listen.ip().is_loopback() {
        tracing::warn!(
            "no API keys are set: every client that can reach the port can send requests"
        );
    }
    if let Some(tls) = tls.clone() {
        reload = reload.with("certificate", move || tls.reload());
    }
    let reload = tokio::spawn(reload.follow(signals.hangup));
    let connections = service.metrics().connections();
    let port = Port { listener, most: settings.server.max_connections, tls, connections };
    if let Some((listener, _)) = admin {
        let port = Port {
            listener,
            most: ADMIN_CONNECTIONS,
            tls: None,
            connections: Connections::default(),
        };
        tokio::spawn(serve_admin(port, service.clone()));
    }
    let cut_off = http::serve(port, routes, &settings.server, phase).await;
    stopping.abort();
    reload.abort();
    if let Some(exporting) = exporting {
        let _ = tokio::task::spawn_blocking(|| exporting.stop(LAST_TRACES_TIMEOUT)).await;
    }
    if cut_off == CutOff::default() {
        tracing::info!("stopped");
    } else {
        let CutOff { requests, connections } = cut_off;
        tracing::warn!(requests, connections, "stopped: requests in flight were cut off");
    }
    Ok(Outcome::Done)
}

/// Starts a decoder process in advance: if that is impossible, the start fails, not the first image.
async fn start_decoder(service: &Service) -> Result<(), Failure> {
    let started = service.engine().start_decoder().await;
    let is_filtered = started
        .map_err(|err| Failure::Machine(format!("cannot start a decoder process: {err}")))?;
    if !is_filtered {
        tracing::warn!(
            "the system has no system-call filter: only time and memory limits restrict the decoder processes"
        );
    }
    Ok(())
}

/// Serves health and metrics until the process ends, so that a shutdown can be observed.
async fn serve_admin(port: Port, service: Arc<Service>) {
    let (_never, phase) = channel::channel(Phase::Serving);
    http::serve(port, http::admin(service.clone()), &service.settings().server, phase).await;
}

/// Listens on an address, and returns it with the actual port (port 0 means any free port).
async fn bind(listen: &Listen) -> Result<(TcpListener, SocketAddr), Failure> {
    let addresses = listen.addresses().await.map_err(|err| {
        Failure::Machine(format!(
            "cannot listen on {listen}: the name is not known ({err}); use an address such as 127.0.0.1:8080, or :8080 for all interfaces"
        ))
    })?;
    let listener = bind_first(&addresses)
        .await
        .map_err(|err| Failure::Machine(format!("cannot listen on {listen}: {err}")))?;
    let address = listener.local_addr().map_err(|err| Failure::machine(&err))?;
    Ok((listener, address))
}

/// Listens on the first address that this machine has. If that is in use, the others would only hide the mistake.
async fn bind_first(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut outcome = Err(ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        outcome = TcpListener::bind(address).await;
        let is_final = |err: &io::Error| {
            matches!(err.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
        };
        if outcome.as_ref().err().is_none_or(is_final) {
            break;
        }
    }
    outcome
}

/// Adds tracing to the routes if a collector is configured.
fn traced(routes: Router, service: &Service) -> Result<(Router, Option<Exporting>), TrustError> {
    let settings = &service.settings().traces;
    let Some(collector) = &settings.collector else { return Ok((routes, None)) };
    let metrics = service.metrics().clone();
    let observe = move |outcome, requests| metrics.traced(outcome, requests);
    let (traces, exporting) =
        tokio::task::block_in_place(|| Traces::start(collector, settings.ratio, observe))?;
    tracing::info!(
        endpoint = %collector.endpoint,
        service = collector.resource.service(),
        instance = collector.resource.instance(),
        "tracing is on: traces go to the collector"
    );
    Ok((http::traced(routes, traces), Some(exporting)))
}

/// Signals to the process. They are registered at the start, so no signal is lost or ends the process.
struct Signals {
    stop: mpsc::Receiver<StopSignal>,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { stop: stop::listen()?, hangup: signal(SignalKind::hangup())? })
    }
}
