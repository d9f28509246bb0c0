//! Batches with a tower whose runs begin when the test says so.

use std::sync::mpsc as gate;

use siamese_core::model::LoadError;
use siamese_core::score::Embedding;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

/// Waits for the gate before each run; a picture embeds as its first value, and -1 panics.
struct Gated {
    started: mpsc::UnboundedSender<usize>,
    gate: gate::Receiver<()>,
    /// How often it can be renewed.
    spare: usize,
}

impl Tower for Gated {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        let _ = self.started.send(pictures.len());
        let _ = self.gate.recv();
        let first = |it: &Pixels| it.values()[0];
        assert!(pictures.iter().all(|it| 0.0 <= first(it)), "asked to panic");
        Ok(pictures.iter().map(|it| Embedding::new([first(it)])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        let none = || LoadError::Changed { path: "tower.onnx".into() };
        self.spare = self.spare.checked_sub(1).ok_or_else(none)?;
        Ok(())
    }
}

/// What a tower tells the test.
struct Told<T>(mpsc::UnboundedReceiver<T>);

impl<T> Told<T> {
    async fn recv(&mut self) -> Option<T> {
        soon(self.0.recv()).await
    }
}

/// What must come; whoever waits so long waits for ever.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(2);
    tokio::time::timeout(limit, work).await.expect("it comes within two minutes")
}

struct Stage {
    batcher: Batcher,
    started: Told<usize>,
    events: Told<Event>,
    gates: Vec<gate::Sender<()>>,
}

fn stage(queue: usize) -> Stage {
    stage_of(1, queue)
}

fn stage_of(towers: usize, queue: usize) -> Stage {
    let (told, started) = mpsc::unbounded_channel();
    let (gates, towers) = (0..towers)
        .map(|_| gate::channel())
        .map(|(gate, gate_opened)| {
            (gate, Gated { started: told.clone(), gate: gate_opened, spare: 1 })
        })
        .unzip();
    let (seen, events) = mpsc::unbounded_channel();
    let observe = move |event| {
        let _ = seen.send(event);
    };
    let queue = NonZeroUsize::new(queue).expect("not 0");
    let batcher = Batcher::start(towers, queue, 8, observe);
    Stage { batcher, started: Told(started), events: Told(events), gates }
}

fn pixels(values: &[f32]) -> Vec<Pixels> {
    values.iter().map(|it| Pixels::new(vec![*it])).collect()
}

impl Stage {
    fn send(&self, values: &[f32]) -> JoinHandle<Result<Answer, EmbedError>> {
        self.send_as(Rank::Few, values)
    }

    fn send_as(&self, rank: Rank, values: &[f32]) -> JoinHandle<Result<Answer, EmbedError>> {
        let places = self.batcher.reserve(values.len()).expect("places");
        tokio::spawn(soon(places.embed(pixels(values), rank)))
    }

    async fn until_waiting(&self, pictures: usize) {
        self.until(|batcher| pictures <= batcher.depth()).await;
    }

    async fn until(&self, is_so: impl Fn(&Batcher) -> bool) {
        let wait = async {
            while !is_so(&self.batcher) {
                tokio::task::yield_now().await;
            }
        };
        soon(wait).await;
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
    stage.until_waiting(2).await;
    let single = stage.send(&[4.0]);
    stage.until_waiting(3).await;

    stage.gates[0].send(()).expect("a tower");
    stage.gates[0].send(()).expect("a tower");

    assert_eq!(values(&first.await.expect("no panic").expect("an answer")), [1.0]);
    assert_eq!(values(&pair.await.expect("no panic").expect("an answer")), [2.0, 3.0]);
    assert_eq!(values(&single.await.expect("no panic").expect("an answer")), [4.0]);
    assert_eq!(stage.started.recv().await, Some(3));
}

#[tokio::test]
async fn few_go_before_many_that_came_earlier_and_fill_one_batch_with_them() {
    let mut stage = stage(64);
    let first = stage.send(&[1.0]);
    assert_eq!(stage.started.recv().await, Some(1));
    let many = stage.send_as(Rank::Many, &[2.0; 10]);
    stage.until_waiting(10).await;
    let pair = stage.send(&[3.0, 4.0]);
    stage.until_waiting(12).await;

    stage.gates[0].send(()).expect("a tower");
    stage.gates[0].send(()).expect("a tower");

    assert!(first.await.expect("no panic").is_ok());
    assert_eq!(values(&pair.await.expect("no panic").expect("an answer")), [3.0, 4.0]);
    assert_eq!(stage.started.recv().await, Some(8), "the batch is full");
    assert!(!many.is_finished());
    stage.gates[0].send(()).expect("a tower");
    assert_eq!(values(&many.await.expect("no panic").expect("an answer")), [2.0; 10]);
    assert_eq!(stage.started.recv().await, Some(4));
}

#[tokio::test]
async fn towers_share_one_queue() {
    let mut stage = stage_of(2, 8);
    let first = stage.send(&[1.0]);
    assert_eq!(stage.started.recv().await, Some(1));
    let second = stage.send(&[2.0]);
    assert_eq!(stage.started.recv().await, Some(1), "the second tower did not wait for the first");

    for gate in &stage.gates {
        gate.send(()).expect("a tower");
    }

    assert_eq!(values(&first.await.expect("no panic").expect("an answer")), [1.0]);
    assert_eq!(values(&second.await.expect("no panic").expect("an answer")), [2.0]);
}

#[tokio::test]
async fn what_finds_no_place_is_refused_at_once_until_one_is_free() {
    let mut stage = stage(2);
    let pair = stage.send(&[1.0, 2.0]);
    assert_eq!(stage.started.recv().await, Some(2));

    assert!(matches!(stage.batcher.reserve(1), Err(Limit::Places)));

    stage.gates[0].send(()).expect("a tower");
    assert!(pair.await.expect("no panic").is_ok());
    assert!(stage.batcher.reserve(2).is_ok());
}

#[tokio::test]
async fn a_job_larger_than_the_house_is_let_in_alone() {
    let stage = stage(2);
    let large = stage.batcher.reserve(3).expect("places");
    assert!(stage.batcher.reserve(1).is_err());
    drop(large);
    let _small = stage.batcher.reserve(1).expect("places");
    assert!(stage.batcher.reserve(3).is_err());
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
async fn a_panic_costs_its_batch_and_a_session_but_no_more() {
    let mut stage = stage(8);
    let bad = stage.send(&[-1.0]);
    stage.gates[0].send(()).expect("a tower");
    assert!(matches!(bad.await.expect("no panic"), Err(EmbedError::Panicked)));
    soon(stage.batcher.failure()).await;

    let good = stage.send(&[5.0]);
    stage.gates[0].send(()).expect("a tower");
    assert_eq!(values(&good.await.expect("no panic").expect("an answer")), [5.0]);
    let taken = Event::Taken { run: 1, dropped: 0 };
    for event in [taken, Event::Panicked, Event::Renewed, taken] {
        assert_eq!(stage.events.recv().await, Some(event));
    }
}

#[tokio::test]
async fn without_a_fresh_session_nobody_waits_in_vain() {
    let mut stage = stage(8);
    let first = stage.send(&[-1.0]);
    stage.gates[0].send(()).expect("a tower");
    assert!(first.await.expect("no panic").is_err());
    assert_eq!(stage.started.recv().await, Some(1));
    let bad = stage.send(&[-1.0]);
    assert_eq!(stage.started.recv().await, Some(1));
    let waiting = stage.send(&[5.0]);
    stage.until_waiting(1).await;

    stage.gates[0].send(()).expect("a tower");

    assert!(matches!(bad.await.expect("no panic"), Err(EmbedError::Panicked)));
    while stage.events.recv().await != Some(Event::Lost) {}
    assert!(matches!(waiting.await.expect("no panic"), Err(EmbedError::Stopped)));
    let late = stage.send(&[6.0]);
    assert!(matches!(late.await.expect("no panic"), Err(EmbedError::Stopped)));
}

#[tokio::test]
async fn a_run_that_does_not_end_is_seen() {
    let mut stage = stage(8);
    assert_eq!(stage.batcher.longest_run(), Duration::ZERO);
    let first = stage.send(&[1.0]);
    assert_eq!(stage.started.recv().await, Some(1));
    stage.until(|batcher| Duration::from_millis(1) <= batcher.longest_run()).await;

    stage.gates[0].send(()).expect("a tower");

    assert!(first.await.expect("no panic").is_ok());
    stage.until(|batcher| batcher.longest_run().is_zero()).await;
}
