//! `siamese serve`

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Failure, Outcome, TowerArgs};
use crate::batch::Batcher;
use crate::http::{self, CutOff, Metrics, Service, router};
use crate::memory;
use crate::readiness::Readiness;
use crate::settings::Settings;
use crate::stop::{self, Phase};
use crate::telemetry;
use crate::warm_up::Crew;

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    tower: TowerArgs,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        memory::give_back_large_blocks();
        let settings = self.tower.settings(self.listen)?;
        telemetry::start(settings.log.format, "info");
        let crew = Crew::gather(
            &settings.tower.file()?,
            &settings.tower.options(),
            settings.tower.wishes(),
        )?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(async_threads())
            .enable_all()
            .build()
            .map_err(|err| Failure::machine(&err))?;
        let outcome = runtime.block_on(serve(settings, crew, begun));
        // What is still decoded is for nobody.
        runtime.shutdown_background();
        outcome
    }
}

/// Half the cores: reading and answering is little work, and a flood of what must be refused leaves the other half,
/// at least, to what was let in.
fn async_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2)
}

async fn serve(settings: Settings, crew: Crew, begun: Instant) -> Result<Outcome, Failure> {
    let asked = stop::listen().map_err(|err| Failure::machine(&err))?;
    let listen = settings.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|err| Failure::Machine(format!("can't listen on {listen}: {err}")))?;
    let listen = listener.local_addr().map_err(|err| Failure::machine(&err))?;

    let description = crew.towers[0].description().clone();
    if description.one_at_a_time {
        tracing::warn!(
            tower = description.card.name,
            "the tower takes a batch of 1 only: pictures run one by one, and slower; export it with a dynamic \
             batch axis"
        );
    }
    let metrics = Arc::new(Metrics::new());
    let observed = metrics.clone();
    let queue = settings.tower.queue.get();
    let batcher =
        Batcher::start(crew.towers, queue, crew.largest_batch, move |it| observed.taken(it));
    let readiness = Arc::new(Readiness::new(settings.health.max_age()));
    let self_test = {
        let (readiness, batcher, description) =
            (readiness.clone(), batcher.clone(), description.clone());
        let interval = settings.health.interval();
        tokio::spawn(async move { readiness.watch(&batcher, &description.golden, interval).await })
    };

    let server = settings.server.clone();
    let app = router(Arc::new(Service::new(
        settings,
        description.clone(),
        batcher,
        readiness.clone(),
        metrics,
    )));
    tracing::info!(
        %listen,
        tower = description.card.name,
        digest = description.digest,
        device = description.provider.device(),
        ready_after_ms = begun.elapsed().as_millis(),
        "ready"
    );
    let (sender, phase) = watch::channel(Phase::Serving);
    let stopping = {
        let times = server.stop();
        tokio::spawn(async move { stop::conduct(asked, times, &readiness, &sender).await })
    };
    let cut_off = http::serve(listener, app, &server, phase).await;
    stopping.abort();
    self_test.abort();
    if cut_off == CutOff::default() {
        tracing::info!("stopped");
    } else {
        let CutOff { requests, connections } = cut_off;
        tracing::warn!(requests, connections, "stopped: what was in flight is cut off");
    }
    Ok(Outcome::Done)
}
