//! One owner of the tower behind a cheap handle: pictures come by message, batches form by themselves.
//!
//! Knows neither pictures' formats nor HTTP. There is no timer: a batch is whatever arrived while the
//! last one ran, so that a quiet server answers at once and a busy one fills its batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::model::{Embedded, Tower, TowerError};
use crate::picture::Pixels;

/// A handle to the tower's thread, which ends when the last handle is gone.
#[derive(Clone)]
pub struct Batcher {
    jobs: mpsc::Sender<Job>,
    nanos_per_job: Arc<AtomicU64>,
}

/// What a job's pictures became, and how long that took.
#[derive(Debug)]
pub struct Answer {
    /// One for each picture, in order.
    pub embedded: Vec<Embedded>,
    /// How long the job waited for the tower.
    pub queue: Duration,
    /// How long the run took that it was part of.
    pub tower: Duration,
}

/// Why a job has no answer.
#[derive(Clone, Debug, Error)]
pub enum EmbedError {
    /// The queue is full.
    #[error("the tower's queue is full")]
    Overloaded,
    /// The tower failed on the batch.
    #[error("the tower failed")]
    Tower(#[source] Arc<TowerError>),
    /// The tower panicked on the batch; it goes on serving.
    #[error("the tower panicked")]
    Panicked,
    /// The tower's thread has ended.
    #[error("the tower has stopped")]
    Stopped,
}

struct Job {
    pixels: Vec<Pixels>,
    queued: Instant,
    reply: oneshot::Sender<Result<Answer, EmbedError>>,
}

impl Batcher {
    /// Gives each of the towers a thread of its own, and all of them one queue of at most `queue` jobs.
    ///
    /// A tower takes at most `largest` jobs at once, and leaves the rest to the others. `observe` is told
    /// how many pictures it took.
    ///
    /// # Panics
    ///
    /// If `queue` is 0, or the system gives no thread.
    pub fn start<T: Tower>(
        towers: Vec<T>,
        queue: usize,
        largest: usize,
        observe: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let (jobs, waiting) = mpsc::channel(queue);
        let nanos_per_job = Arc::new(AtomicU64::new(0));
        let shift = Arc::new(Shift {
            waiting: Mutex::new(waiting),
            towers: towers.len(),
            largest,
            nanos_per_job: nanos_per_job.clone(),
            observe,
        });
        for tower in towers {
            let shift = shift.clone();
            thread::Builder::new()
                .name("tower".to_owned())
                .spawn(move || shift.work(tower))
                .expect("the system gives a thread at the start");
        }
        Self { jobs, nanos_per_job }
    }

    /// Embeds a job's pictures in one run, together with whatever else is waiting.
    ///
    /// # Cancel safety
    ///
    /// A job whose caller has gone, or let it go at its deadline, is dropped before it costs a run.
    pub async fn embed(&self, pixels: Vec<Pixels>) -> Result<Answer, EmbedError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { pixels, queued: Instant::now(), reply };
        self.jobs.try_send(job).map_err(|err| match err {
            mpsc::error::TrySendError::Full(_) => EmbedError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => EmbedError::Stopped,
        })?;
        answer.await.unwrap_or(Err(EmbedError::Stopped))
    }

    /// Jobs waiting for the tower.
    pub fn depth(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// How long the jobs now waiting will take, at the rate of the last ones.
    pub fn drain_time(&self) -> Duration {
        let waiting = u64::try_from(self.depth()).unwrap_or(u64::MAX);
        Duration::from_nanos(waiting.saturating_mul(self.nanos_per_job.load(Ordering::Relaxed)))
    }
}

/// What the towers' threads share.
struct Shift<O> {
    waiting: Mutex<mpsc::Receiver<Job>>,
    towers: usize,
    largest: usize,
    nanos_per_job: Arc<AtomicU64>,
    observe: O,
}

impl<O: Fn(usize)> Shift<O> {
    /// The body of a tower's thread.
    fn work(&self, mut tower: impl Tower) {
        let mut jobs = Vec::with_capacity(self.largest);
        while self.take(&mut jobs) {
            self.run(&mut tower, &mut jobs);
        }
    }

    /// Waits for jobs; false once there will be no more. One tower waits at a time, the others behind it.
    fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        0 < waiting.blocking_recv_many(jobs, self.largest)
    }

    fn run(&self, tower: &mut impl Tower, jobs: &mut Vec<Job>) {
        let begun = Instant::now();
        let mut pixels = Vec::new();
        let mut callers = Vec::with_capacity(jobs.len());
        for mut job in jobs.drain(..) {
            if !job.reply.is_closed() {
                callers.push((job.pixels.len(), begun - job.queued, job.reply));
                pixels.append(&mut job.pixels);
            }
        }
        if pixels.is_empty() {
            return;
        }
        (self.observe)(pixels.len());
        let result = catch_unwind(AssertUnwindSafe(|| tower.embed(&pixels)));
        let took = begun.elapsed();
        let nanos = smoothed(&self.nanos_per_job, took, callers.len() * self.towers);
        self.nanos_per_job.store(nanos, Ordering::Relaxed);
        match result {
            Ok(Ok(embedded)) => {
                debug_assert_eq!(embedded.len(), pixels.len(), "a tower skipped a picture");
                let mut embedded = embedded.into_iter();
                for (count, queue, reply) in callers {
                    let embedded = embedded.by_ref().take(count).collect();
                    // The caller may have left in the meantime, which is no error.
                    let _ = reply.send(Ok(Answer { embedded, queue, tower: took }));
                }
            }
            Ok(Err(err)) => refuse(callers, &EmbedError::Tower(Arc::new(err))),
            Err(_) => refuse(callers, &EmbedError::Panicked),
        }
    }
}

type Caller = (usize, Duration, oneshot::Sender<Result<Answer, EmbedError>>);

fn refuse(callers: Vec<Caller>, err: &EmbedError) {
    for (_, _, reply) in callers {
        let _ = reply.send(Err(err.clone()));
    }
}

/// The time between two jobs' ends, new runs weighing an eighth.
fn smoothed(before: &AtomicU64, took: Duration, jobs: usize) -> u64 {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let now = nanos / u64::try_from(jobs).unwrap_or(1).max(1);
    match before.load(Ordering::Relaxed) {
        0 => now,
        before => before - before / 8 + now / 8,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as gate;

    use tokio::task::JoinHandle;

    use super::*;
    use crate::score::Embedding;

    /// Waits for the gate before each run; a picture embeds as its first value, and -1 panics.
    struct Gated {
        started: mpsc::UnboundedSender<usize>,
        gate: gate::Receiver<()>,
    }

    impl Tower for Gated {
        fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
            let _ = self.started.send(pictures.len());
            let _ = self.gate.recv();
            let first = |it: &Pixels| it.values()[0];
            assert!(pictures.iter().all(|it| 0.0 <= first(it)), "asked to panic");
            Ok(pictures.iter().map(|it| Embedding::new([first(it)])).collect())
        }
    }

    struct Stage {
        batcher: Batcher,
        started: mpsc::UnboundedReceiver<usize>,
        gates: Vec<gate::Sender<()>>,
    }

    fn stage(queue: usize) -> Stage {
        stage_of(1, queue)
    }

    fn stage_of(towers: usize, queue: usize) -> Stage {
        let (told, started) = mpsc::unbounded_channel();
        let (gates, towers) = (0..towers)
            .map(|_| gate::channel())
            .map(|(gate, opened)| (gate, Gated { started: told.clone(), gate: opened }))
            .unzip();
        Stage { batcher: Batcher::start(towers, queue, 8, |_| ()), started, gates }
    }

    fn pixels(values: &[f32]) -> Vec<Pixels> {
        values.iter().map(|it| Pixels::new(vec![*it])).collect()
    }

    impl Stage {
        fn send(&self, values: &[f32]) -> JoinHandle<Result<Answer, EmbedError>> {
            let (batcher, pixels) = (self.batcher.clone(), pixels(values));
            tokio::spawn(async move { batcher.embed(pixels).await })
        }

        async fn until_waiting(&self, jobs: usize) {
            while self.batcher.depth() < jobs {
                tokio::task::yield_now().await;
            }
        }
    }

    fn values(answer: &Answer) -> Vec<f32> {
        answer.embedded.iter().map(|it| it.as_ref().expect("finite").coordinates()[0]).collect()
    }

    #[tokio::test]
    async fn what_waits_while_the_tower_runs_becomes_one_batch() {
        let mut stage = stage(8);
        let first = stage.send(&[1.0]);
        assert_eq!(stage.started.recv().await, Some(1));
        let pair = stage.send(&[2.0, 3.0]);
        stage.until_waiting(1).await;
        let single = stage.send(&[4.0]);
        stage.until_waiting(2).await;

        stage.gates[0].send(()).expect("a tower");
        stage.gates[0].send(()).expect("a tower");

        assert_eq!(values(&first.await.expect("no panic").expect("an answer")), [1.0]);
        assert_eq!(values(&pair.await.expect("no panic").expect("an answer")), [2.0, 3.0]);
        assert_eq!(values(&single.await.expect("no panic").expect("an answer")), [4.0]);
        assert_eq!(stage.started.recv().await, Some(3));
    }

    #[tokio::test]
    async fn towers_share_one_queue() {
        let mut stage = stage_of(2, 8);
        let first = stage.send(&[1.0]);
        assert_eq!(stage.started.recv().await, Some(1));
        let second = stage.send(&[2.0]);
        assert_eq!(
            stage.started.recv().await,
            Some(1),
            "the second tower did not wait for the first"
        );

        for gate in &stage.gates {
            gate.send(()).expect("a tower");
        }

        assert_eq!(values(&first.await.expect("no panic").expect("an answer")), [1.0]);
        assert_eq!(values(&second.await.expect("no panic").expect("an answer")), [2.0]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let mut stage = stage(1);
        let _running = stage.send(&[1.0]);
        assert_eq!(stage.started.recv().await, Some(1));
        let _waiting = stage.send(&[2.0]);
        stage.until_waiting(1).await;

        let refused = stage.batcher.embed(pixels(&[3.0])).await;

        assert!(matches!(refused, Err(EmbedError::Overloaded)));
    }

    #[tokio::test]
    async fn gone_callers_cost_no_run() {
        let mut stage = stage(8);
        let first = stage.send(&[1.0]);
        assert_eq!(stage.started.recv().await, Some(1));
        let gone = stage.send(&[2.0]);
        stage.until_waiting(1).await;
        gone.abort();
        assert!(gone.await.is_err());

        stage.gates[0].send(()).expect("a tower");

        assert!(first.await.expect("no panic").is_ok());
        drop(stage.batcher);
        assert_eq!(stage.started.recv().await, None, "a run for nobody");
    }

    #[tokio::test]
    async fn a_panic_costs_its_batch_and_no_more() {
        let stage = stage(8);
        let bad = stage.send(&[-1.0]);
        stage.gates[0].send(()).expect("a tower");
        assert!(matches!(bad.await.expect("no panic"), Err(EmbedError::Panicked)));

        let good = stage.send(&[5.0]);
        stage.gates[0].send(()).expect("a tower");
        assert_eq!(values(&good.await.expect("no panic").expect("an answer")), [5.0]);
    }
}
