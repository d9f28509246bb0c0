//! Graceful shutdown, from the signal to the end of the process, without errors for clients.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::settings::Server;
use super::telemetry::milliseconds;

/// The phase of a shutdown. It only advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No shutdown was requested.
    Serving,
    /// `/readyz` reports not ready, but all requests are served, because load balancers need time to notice. Each
    /// response closes its connection, so that clients connect again, to another server.
    LameDuck,
    /// No new connections are accepted. Requests in progress finish.
    Draining,
    /// Requests that are still in progress are aborted.
    Over,
}

/// The signal that requests a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM, from a process manager: with a lame-duck phase.
    Terminate,
    /// SIGINT, from a user at a terminal: without a lame-duck phase.
    Interrupt,
}

/// The longest duration of each phase.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From SIGTERM until new connections are refused.
    pub lame_duck: Duration,
    /// From then until requests in progress are aborted.
    pub drain: Duration,
}

impl From<&Server> for Times {
    fn from(settings: &Server) -> Self {
        Self {
            lame_duck: Duration::from_millis(settings.lame_duck_ms),
            drain: Duration::from_millis(settings.drain_ms),
        }
    }
}

/// Starts to listen for both signals, so that none is lost before it is awaited.
pub fn listen() -> io::Result<mpsc::Receiver<StopSignal>> {
    let (sender, signals) = mpsc::channel(2);
    for (kind, signal_kind) in [
        (SignalKind::terminate(), StopSignal::Terminate),
        (SignalKind::interrupt(), StopSignal::Interrupt),
    ] {
        tokio::spawn(forward(signal(kind)?, signal_kind, sender.clone()));
    }
    Ok(signals)
}

async fn forward(mut signals: Signal, signal_kind: StopSignal, sender: mpsc::Sender<StopSignal>) {
    while signals.recv().await.is_some() {
        if sender.send(signal_kind).await.is_err() {
            return;
        }
    }
}

/// Waits for a signal and runs the phases of the shutdown. `on_begin` is called first. A second signal ends the shutdown
/// immediately.
pub async fn run_phases(
    mut signals: mpsc::Receiver<StopSignal>,
    times: Times,
    on_begin: impl FnOnce(),
    phase: &watch::Sender<Phase>,
) {
    let Some(first) = signals.recv().await else { return };
    on_begin();
    if first == StopSignal::Terminate && Duration::ZERO < times.lame_duck {
        let lame_duck_ms = milliseconds(times.lame_duck);
        tracing::info!(
            lame_duck_ms,
            "shutting down: not ready any more, but all requests are still served"
        );
        phase.send_replace(Phase::LameDuck);
        if interrupted(&mut signals, times.lame_duck).await {
            phase.send_replace(Phase::Over);
            return;
        }
    }
    let drain_ms = milliseconds(times.drain);
    tracing::info!(drain_ms, "shutting down: finishing the requests in progress");
    phase.send_replace(Phase::Draining);
    interrupted(&mut signals, times.drain).await;
    phase.send_replace(Phase::Over);
}

/// Waits. Returns true at once if a second signal arrives.
async fn interrupted(signals: &mut mpsc::Receiver<StopSignal>, time: Duration) -> bool {
    tokio::select! {
        () = sleep(time) => false,
        Some(_) = signals.recv() => {
            tracing::warn!("a second signal arrived; stopping now");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::Instant;

    use super::*;

    const TIMES: Times =
        Times { lame_duck: Duration::from_secs(5), drain: Duration::from_secs(30) };

    /// A running shutdown, and its phases with the seconds at which they begin.
    struct Stopping {
        sender: mpsc::Sender<StopSignal>,
        /// Whether the callback was called.
        called: Arc<AtomicBool>,
        phase: watch::Receiver<Phase>,
        begun: Instant,
    }

    impl Stopping {
        fn begin(times: Times) -> Self {
            let (sender, signals) = mpsc::channel(2);
            let (phases, phase) = watch::channel(Phase::Serving);
            let called = Arc::new(AtomicBool::new(false));
            let on_begin = {
                let called = called.clone();
                move || called.store(true, Ordering::Relaxed)
            };
            tokio::spawn(async move { run_phases(signals, times, on_begin, &phases).await });
            Self { sender, called, phase, begun: Instant::now() }
        }

        async fn signal(&self, signal_kind: StopSignal) {
            self.sender.send(signal_kind).await.expect("it listens");
        }

        async fn next(&mut self) -> (Phase, u64) {
            self.phase.changed().await.expect("it goes on");
            (*self.phase.borrow_and_update(), self.begun.elapsed().as_secs())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sigterm_has_a_lame_duck_and_a_drain_phase() {
        let mut stopping = Stopping::begin(TIMES);
        stopping.signal(StopSignal::Terminate).await;
        assert_eq!(stopping.next().await, (Phase::LameDuck, 0));
        assert!(stopping.called.load(Ordering::Relaxed));
        assert_eq!(stopping.next().await, (Phase::Draining, 5));
        assert_eq!(stopping.next().await, (Phase::Over, 35));
    }

    #[tokio::test(start_paused = true)]
    async fn sigint_skips_the_lame_duck_phase() {
        let mut stopping = Stopping::begin(TIMES);
        stopping.signal(StopSignal::Interrupt).await;
        assert_eq!(stopping.next().await, (Phase::Draining, 0));
        assert!(stopping.called.load(Ordering::Relaxed));
        assert_eq!(stopping.next().await, (Phase::Over, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_lame_duck_it_drains_at_once() {
        let mut stopping = Stopping::begin(Times { lame_duck: Duration::ZERO, ..TIMES });
        stopping.signal(StopSignal::Terminate).await;
        assert_eq!(stopping.next().await, (Phase::Draining, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_of_either_kind_ends_it_now() {
        for again in [StopSignal::Terminate, StopSignal::Interrupt] {
            let mut stopping = Stopping::begin(TIMES);
            stopping.signal(StopSignal::Terminate).await;
            assert_eq!(stopping.next().await, (Phase::LameDuck, 0));
            stopping.signal(again).await;
            assert_eq!(stopping.next().await, (Phase::Over, 0));

            let mut stopping = Stopping::begin(TIMES);
            stopping.signal(StopSignal::Interrupt).await;
            assert_eq!(stopping.next().await, (Phase::Draining, 0));
            stopping.signal(again).await;
            assert_eq!(stopping.next().await, (Phase::Over, 0));
        }
    }
}
