//! How a stop goes on, from the signal that asks for it to its end: so that no client notices.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::settings::Server;
use super::telemetry::milliseconds;

/// How far a stop has come. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody has asked for a stop.
    Serving,
    /// `/readyz` says no, and everything is still served: balancers take their time to see it. Each answer ends its
    /// connection, so that clients come back on another, to another server.
    LameDuck,
    /// There are no new connections, and what is in flight ends.
    Draining,
    /// What is still in flight is cut off.
    Over,
}

/// What asks for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM, by whoever keeps the server running: it takes its time.
    Terminate,
    /// SIGINT, by somebody at a terminal who waits for it.
    Interrupt,
}

/// How long the phases of a stop may last.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From SIGTERM to the end of new connections.
    pub lame_duck: Duration,
    /// From there until what is in flight is cut off.
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

/// Listens for both signals from now on, so that none is lost before it is waited for.
pub fn listen() -> io::Result<mpsc::Receiver<Asked>> {
    let (sender, asked) = mpsc::channel(2);
    for (kind, means) in
        [(SignalKind::terminate(), Asked::Terminate), (SignalKind::interrupt(), Asked::Interrupt)]
    {
        tokio::spawn(forward(signal(kind)?, means, sender.clone()));
    }
    Ok(asked)
}

async fn forward(mut signals: Signal, means: Asked, sender: mpsc::Sender<Asked>) {
    while signals.recv().await.is_some() {
        if sender.send(means).await.is_err() {
            return;
        }
    }
}

/// Waits for a stop to be asked for, and takes the server through its phases; `begins` is called first of all. A second ask
/// ends it now.
pub async fn conduct(
    mut asked: mpsc::Receiver<Asked>,
    times: Times,
    begins: impl FnOnce(),
    phase: &watch::Sender<Phase>,
) {
    let Some(first) = asked.recv().await else { return };
    begins();
    if first == Asked::Terminate && Duration::ZERO < times.lame_duck {
        let lame_duck_ms = milliseconds(times.lame_duck);
        tracing::info!(lame_duck_ms, "stopping: no longer ready, and all is still served");
        phase.send_replace(Phase::LameDuck);
        if hurried(&mut asked, times.lame_duck).await {
            phase.send_replace(Phase::Over);
            return;
        }
    }
    let drain_ms = milliseconds(times.drain);
    tracing::info!(drain_ms, "stopping: what is in flight is finished");
    phase.send_replace(Phase::Draining);
    hurried(&mut asked, times.drain).await;
    phase.send_replace(Phase::Over);
}

/// Lets time pass; true, and at once, where a stop is asked for again.
async fn hurried(asked: &mut mpsc::Receiver<Asked>, time: Duration) -> bool {
    tokio::select! {
        () = sleep(time) => false,
        Some(_) = asked.recv() => {
            tracing::warn!("stopping now, as it was asked for again");
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

    /// A stop under way, and the phases it goes through with the seconds at which it does.
    struct Stopping {
        ask: mpsc::Sender<Asked>,
        /// Whether it was told that a stop begins.
        told: Arc<AtomicBool>,
        phase: watch::Receiver<Phase>,
        begun: Instant,
    }

    impl Stopping {
        fn begin(times: Times) -> Self {
            let (ask, asked) = mpsc::channel(2);
            let (sender, phase) = watch::channel(Phase::Serving);
            let told = Arc::new(AtomicBool::new(false));
            let begins = {
                let told = told.clone();
                move || told.store(true, Ordering::Relaxed)
            };
            tokio::spawn(async move { conduct(asked, times, begins, &sender).await });
            Self { ask, told, phase, begun: Instant::now() }
        }

        async fn ask(&self, means: Asked) {
            self.ask.send(means).await.expect("it listens");
        }

        async fn next(&mut self) -> (Phase, u64) {
            self.phase.changed().await.expect("it goes on");
            (*self.phase.borrow_and_update(), self.begun.elapsed().as_secs())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_termination_leaves_time_to_be_noticed_and_to_end() {
        let mut stopping = Stopping::begin(TIMES);
        stopping.ask(Asked::Terminate).await;
        assert_eq!(stopping.next().await, (Phase::LameDuck, 0));
        assert!(stopping.told.load(Ordering::Relaxed));
        assert_eq!(stopping.next().await, (Phase::Draining, 5));
        assert_eq!(stopping.next().await, (Phase::Over, 35));
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_at_a_terminal_need_not_wait_for_balancers() {
        let mut stopping = Stopping::begin(TIMES);
        stopping.ask(Asked::Interrupt).await;
        assert_eq!(stopping.next().await, (Phase::Draining, 0));
        assert!(stopping.told.load(Ordering::Relaxed));
        assert_eq!(stopping.next().await, (Phase::Over, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_lame_duck_it_drains_at_once() {
        let mut stopping = Stopping::begin(Times { lame_duck: Duration::ZERO, ..TIMES });
        stopping.ask(Asked::Terminate).await;
        assert_eq!(stopping.next().await, (Phase::Draining, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_ask_of_either_kind_ends_it_now() {
        for again in [Asked::Terminate, Asked::Interrupt] {
            let mut stopping = Stopping::begin(TIMES);
            stopping.ask(Asked::Terminate).await;
            assert_eq!(stopping.next().await, (Phase::LameDuck, 0));
            stopping.ask(again).await;
            assert_eq!(stopping.next().await, (Phase::Over, 0));

            let mut stopping = Stopping::begin(TIMES);
            stopping.ask(Asked::Interrupt).await;
            assert_eq!(stopping.next().await, (Phase::Draining, 0));
            stopping.ask(again).await;
            assert_eq!(stopping.next().await, (Phase::Over, 0));
        }
    }
}
