//! The load: many connections on one thread, and the result of each request.
//!
//! In a *closed* loop, a connection sends its next request after the previous response. In an *open* loop, requests
//! are due at fixed times, whatever the responses. A latency begins when its request is due, not when it can be sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::process::{Process, thread_cpu};
use crate::request::Request;
use crate::statistics::count;

/// The result of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The time at which it was due.
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) finished: Instant,
    /// The status of the response; `None` if the connection broke.
    pub(crate) status: Option<u16>,
}

/// The results of a load.
pub(crate) struct Outcome {
    pub(crate) samples: Vec<Sample>,
    /// The measured time.
    pub(crate) took: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) client_cpu: Duration,
}

/// The server under load, and the requests.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) requests: Arc<[Request]>,
}

impl Target {
    /// Runs a closed loop, measured for `time` after a warm-up of a fifth of it.
    pub(crate) async fn closed(&self, connections: usize, time: Duration) -> io::Result<Outcome> {
        self.closed_after(time / 5, connections, time).await
    }

    /// Runs a closed loop after a warm-up.
    pub(crate) async fn closed_after(
        &self,
        warm_up: Duration,
        connections: usize,
        time: Duration,
    ) -> io::Result<Outcome> {
        let mut tasks = JoinSet::new();
        let begun = Instant::now() + warm_up;
        let end = begun + time;
        for (index, mut connection) in self.connect(connections).await?.into_iter().enumerate() {
            let requests = self.requests.clone();
            tasks.spawn(async move {
                let mut samples = Vec::new();
                for request in requests.iter().cycle().skip(index % requests.len()) {
                    let now = Instant::now();
                    if end <= now {
                        break;
                    }
                    samples.push(send(&mut connection, request, now).await);
                }
                samples
            });
        }
        tokio::time::sleep_until(begun.into()).await;
        let (server, client) = (self.process.cpu_of_all(), thread_cpu());
        let begun = Instant::now();
        tokio::time::sleep_until(end.into()).await;
        let took = begun.elapsed();
        let server_cpu = self.process.cpu_of_all_since(server);
        let client_cpu = thread_cpu().saturating_sub(client);
        let samples = tasks.join_all().await.into_iter().flatten();
        let within = |sample: &Sample| begun <= sample.finished && sample.finished < begun + took;
        Ok(Outcome { samples: samples.filter(within).collect(), took, server_cpu, client_cpu })
    }

    /// Runs an open loop of `rate` requests per second, at random times (a Poisson process with a fixed seed).
    pub(crate) async fn open(
        &self,
        connections: usize,
        rate: f64,
        time: Duration,
    ) -> io::Result<Outcome> {
        let mut tasks = JoinSet::new();
        let connections = self.connect(connections).await?;
        let begun = Instant::now();
        let due: Arc<[Instant]> = arrivals(rate, time).map(|offset| begun + offset).collect();
        let clock = Arc::new(Clock { due, next: AtomicUsize::new(0), passed: Semaphore::new(0) });
        let (server, client) = (self.process.cpu_of_all(), thread_cpu());
        let (ticking, idle) = (clock.clone(), connections.len());
        let ticks = thread::spawn(move || ticking.tick(idle));
        for mut connection in connections {
            let (requests, clock) = (self.requests.clone(), clock.clone());
            tasks.spawn(async move {
                let mut samples = Vec::new();
                while let Some((index, due)) = clock.wait().await {
                    let request = &requests[index % requests.len()];
                    samples.push(send(&mut connection, request, due).await);
                }
                samples
            });
        }
        let samples = tasks.join_all().await.into_iter().flatten().collect();
        let took = begun.elapsed();
        let server_cpu = self.process.cpu_of_all_since(server);
        let clock = ticks.join().expect("the clock does not panic");
        let client_cpu = thread_cpu().saturating_sub(client) + clock;
        Ok(Outcome { samples, took, server_cpu, client_cpu })
    }

    /// Opens a number of connections.
    pub(crate) async fn connect(&self, connections: usize) -> io::Result<Vec<Connection>> {
        let mut ready = Vec::with_capacity(connections);
        for _ in 0..connections {
            ready.push(Connection::open(self.address).await?);
        }
        Ok(ready)
    }
}

async fn send(connection: &mut Connection, request: &Request, due: Instant) -> Sample {
    let mut scratch = Vec::new();
    let sent = Instant::now();
    let status = connection.exchange(request.bytes(&mut scratch)).await.ok();
    Sample { due, sent, finished: Instant::now(), status }
}

/// The times after the start at which requests are due.
fn arrivals(rate: f64, time: Duration) -> impl Iterator<Item = Duration> {
    let mut chance = fastrand::Rng::with_seed(7);
    let gap = move || Duration::from_secs_f64(-(1.0 - chance.f64()).ln() / rate);
    std::iter::repeat_with(gap)
        .scan(Duration::ZERO, |now, gap| {
            *now += gap;
            Some(*now)
        })
        .take_while(move |due| *due < time)
}

/// Releases requests when they are due. It uses its own thread, because a runtime's timers have a resolution of a
/// millisecond.
struct Clock {
    due: Arc<[Instant]>,
    next: AtomicUsize,
    passed: Semaphore,
}

impl Clock {
    /// Runs until all requests are due, then releases the `idle` connections. Returns the CPU time it used.
    fn tick(&self, idle: usize) -> Duration {
        for due in self.due.iter() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.passed.add_permits(1);
        }
        self.passed.add_permits(idle);
        thread_cpu()
    }

    /// Waits for the next due request; `None` after the last.
    async fn wait(&self) -> Option<(usize, Instant)> {
        self.passed.acquire().await.ok()?.forget();
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        Some((index, *self.due.get(index)?))
    }
}

impl Outcome {
    pub(crate) fn accepted(&self) -> usize {
        self.samples.iter().filter(|sample| sample.accepted()).count()
    }

    pub(crate) fn accepted_per_second(&self) -> f64 {
        count(self.accepted()) / self.took.as_secs_f64()
    }

    /// The latencies of the accepted requests, in ascending order.
    pub(crate) fn accepted_latencies(&self) -> Vec<Duration> {
        Self::pooled_latencies([self])
    }

    /// The latencies of several loads together.
    pub(crate) fn pooled_latencies<'a>(
        outcomes: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<Duration> {
        let samples = outcomes.into_iter().flat_map(|outcome| &outcome.samples);
        let mut latencies: Vec<Duration> =
            samples.filter(|sample| sample.accepted()).map(Sample::latency).collect();
        latencies.sort_unstable();
        latencies
    }
}

impl Sample {
    pub(crate) fn accepted(&self) -> bool {
        self.status == Some(200)
    }

    pub(crate) fn latency(&self) -> Duration {
        self.finished - self.due
    }
}
