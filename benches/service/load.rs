//! The load: many connections on one thread, and what came of each request.
//!
//! *Closed*: a connection sends its next request once the last is answered. *Open*: requests are due at times
//! that do not wait for answers, and a latency begins when its request was due, not when it could be sent.

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

/// One request's fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// When it was to be sent.
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    /// Its answer's status; none where the connection broke.
    pub(crate) status: Option<u16>,
}

/// What came of a load.
pub(crate) struct Outcome {
    pub(crate) samples: Vec<Sample>,
    /// How long it was looked at.
    pub(crate) took: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) client_cpu: Duration,
}

/// Where a load goes, and what it is made of.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) requests: Arc<[Request]>,
}

impl Target {
    /// A closed loop of so many connections, looked at for `time` after a fifth of it for warming.
    pub(crate) async fn closed(&self, connections: usize, time: Duration) -> io::Result<Outcome> {
        self.closed_after(time / 5, connections, time).await
    }

    /// The same, after so much time for warming.
    pub(crate) async fn closed_after(
        &self,
        warming: Duration,
        connections: usize,
        time: Duration,
    ) -> io::Result<Outcome> {
        let mut tasks = JoinSet::new();
        let begun = Instant::now() + warming;
        let end = begun + time;
        for (at, mut connection) in self.connect(connections).await?.into_iter().enumerate() {
            let requests = self.requests.clone();
            tasks.spawn(async move {
                let mut samples = Vec::new();
                for request in requests.iter().cycle().skip(at % requests.len()) {
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
        let (server, client) = (self.process.cpu(), thread_cpu());
        let begun = Instant::now();
        tokio::time::sleep_until(end.into()).await;
        let took = begun.elapsed();
        let server_cpu = self.process.cpu_since(server);
        let client_cpu = thread_cpu().saturating_sub(client);
        let samples = tasks.join_all().await.into_iter().flatten();
        let within = |it: &Sample| begun <= it.answered && it.answered < begun + took;
        Ok(Outcome { samples: samples.filter(within).collect(), took, server_cpu, client_cpu })
    }

    /// An open loop of `rate` requests a second, at random (Poisson's process, of a fixed seed).
    pub(crate) async fn open(
        &self,
        connections: usize,
        rate: f64,
        time: Duration,
    ) -> io::Result<Outcome> {
        let mut tasks = JoinSet::new();
        let connections = self.connect(connections).await?;
        let begun = Instant::now();
        let due: Arc<[Instant]> = arrivals(rate, time).map(|it| begun + it).collect();
        let clock = Arc::new(Clock { due, next: AtomicUsize::new(0), passed: Semaphore::new(0) });
        let (server, client) = (self.process.cpu(), thread_cpu());
        let (ticking, idle) = (clock.clone(), connections.len());
        let ticks = thread::spawn(move || ticking.tick(idle));
        for mut connection in connections {
            let (requests, clock) = (self.requests.clone(), clock.clone());
            tasks.spawn(async move {
                let mut samples = Vec::new();
                while let Some((at, due)) = clock.wait().await {
                    let request = &requests[at % requests.len()];
                    samples.push(send(&mut connection, request, due).await);
                }
                samples
            });
        }
        let samples = tasks.join_all().await.into_iter().flatten().collect();
        let took = begun.elapsed();
        let server_cpu = self.process.cpu_since(server);
        let clock = ticks.join().expect("the clock does not panic");
        let client_cpu = thread_cpu().saturating_sub(client) + clock;
        Ok(Outcome { samples, took, server_cpu, client_cpu })
    }

    /// So many connections, ready.
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
    Sample { due, sent, answered: Instant::now(), status }
}

/// Times from the start at which requests are due.
fn arrivals(rate: f64, time: Duration) -> impl Iterator<Item = Duration> {
    let mut chance = fastrand::Rng::with_seed(7);
    let gap = move || Duration::from_secs_f64(-(1.0 - chance.f64()).ln() / rate);
    std::iter::repeat_with(gap)
        .scan(Duration::ZERO, |now, gap| {
            *now += gap;
            Some(*now)
        })
        .take_while(move |it| *it < time)
}

/// Lets requests go when they are due. A thread of its own, as a runtime's timers are a millisecond coarse.
struct Clock {
    due: Arc<[Instant]>,
    next: AtomicUsize,
    passed: Semaphore,
}

impl Clock {
    /// Runs until all are due, and then lets the `idle` connections go home; tells the CPU time it took.
    fn tick(&self, idle: usize) -> Duration {
        for due in self.due.iter() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.passed.add_permits(1);
        }
        self.passed.add_permits(idle);
        thread_cpu()
    }

    /// Waits for the next request that is due; none after the last.
    async fn wait(&self) -> Option<(usize, Instant)> {
        self.passed.acquire().await.ok()?.forget();
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        Some((at, *self.due.get(at)?))
    }
}

impl Outcome {
    pub(crate) fn accepted(&self) -> usize {
        self.samples.iter().filter(|it| it.accepted()).count()
    }

    pub(crate) fn accepted_per_second(&self) -> f64 {
        count(self.accepted()) / self.took.as_secs_f64()
    }

    /// Latencies of the requests that were answered well, in ascending order.
    pub(crate) fn accepted_latencies(&self) -> Vec<Duration> {
        Self::pooled_latencies([self])
    }

    /// Those of several loads together.
    pub(crate) fn pooled_latencies<'a>(
        outcomes: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<Duration> {
        let samples = outcomes.into_iter().flat_map(|it| &it.samples);
        let mut latencies: Vec<Duration> =
            samples.filter(|it| it.accepted()).map(Sample::latency).collect();
        latencies.sort_unstable();
        latencies
    }
}

impl Sample {
    pub(crate) fn accepted(&self) -> bool {
        self.status == Some(200)
    }

    pub(crate) fn latency(&self) -> Duration {
        self.answered - self.due
    }
}
