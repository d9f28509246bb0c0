//! Tests of batching, with a model whose runs begin when the test allows it.

use std::sync::mpsc as gate;

use siamese_core::model::LoadError;
use siamese_core::score::Embedding;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

/// A model that waits for the gate before each run. The embedding of an image is its first value, and -1 panics.
struct Gated {
    started: mpsc::UnboundedSender<usize>,
    gate: gate::Receiver<()>,
    /// How often it can be renewed.
    spare: usize,
}

impl Model for Gated {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let _ = self.started.send(images.len());
        let _ = self.gate.recv();
        let first = |image: &Pixels| image.values()[0];
        assert!(images.iter().all(|image| 0.0 <= first(image)), "asked to panic");
        Ok(images.iter().map(|image| Embedding::new([first(image)])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        let none = || LoadError::Changed { path: "model.onnx".into() };
        self.spare = self.spare.checked_sub(1).ok_or_else(none)?;
        Ok(())
    }
}

/// Receives what a model reports to the test.
struct Reports<T>(mpsc::UnboundedReceiver<T>);

impl<T> Reports<T> {
    async fn recv(&mut self) -> Option<T> {
        soon(self.0.recv()).await
    }
}

/// Awaits an event that must come. A wait of two minutes means that it never comes.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(2);
    tokio::time::timeout(limit, work).await.expect("it comes within two minutes")
}

struct Setup {
    batcher: Batcher,
    started: Reports<usize>,
    events: Reports<Event>,
    gates: Vec<gate::Sender<()>>,
}

fn setup(queue: usize) -> Setup {
    setup_of(1, queue)
}

fn setup_of(models: usize, queue: usize) -> Setup {
    let (told, started) = mpsc::unbounded_channel();
    let (gates, models) = (0..models)
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
    let batcher = Batcher::start(models, queue, 8, observe);
    Setup { batcher, started: Reports(started), events: Reports(events), gates }
}

fn pixels(values: &[f32]) -> Vec<Pixels> {
    values.iter().map(|value| Pixels::new(vec![*value])).collect()
}

impl Setup {
    fn send(&self, values: &[f32]) -> JoinHandle<Result<Output<Embedded>, EmbedError>> {
        self.send_as(Priority::Interactive, values)
    }

    fn send_as(
        &self,
        priority: Priority,
        values: &[f32],
    ) -> JoinHandle<Result<Output<Embedded>, EmbedError>> {
        let reservation = self.batcher.reserve(values.len()).expect("places");
        tokio::spawn(soon(reservation.embed(pixels(values), priority)))
    }

    async fn until_waiting(&self, images: usize) {
        self.until(|batcher| images <= batcher.depth()).await;
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

fn values(output: &Output<Embedded>) -> Vec<f32> {
    output.outputs.iter().map(|result| result.as_ref().expect("finite").coordinates()[0]).collect()
}

#[tokio::test]
async fn what_waits_while_the_model_runs_becomes_one_batch() {
    let mut setup = setup(8);
    let first = setup.send(&[1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    let pair = setup.send(&[2.0, 3.0]);
    setup.until_waiting(2).await;
    let single = setup.send(&[4.0]);
    setup.until_waiting(3).await;

    setup.gates[0].send(()).expect("a model");
    setup.gates[0].send(()).expect("a model");

    assert_eq!(values(&first.await.expect("no panic").expect("embeddings")), [1.0]);
    assert_eq!(values(&pair.await.expect("no panic").expect("embeddings")), [2.0, 3.0]);
    assert_eq!(values(&single.await.expect("no panic").expect("embeddings")), [4.0]);
    assert_eq!(setup.started.recv().await, Some(3));
}

#[tokio::test]
async fn interactive_images_go_first_and_bulk_images_fill_the_batch() {
    let mut setup = setup(64);
    let first = setup.send(&[1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    let bulk = setup.send_as(Priority::Bulk, &[2.0; 10]);
    setup.until_waiting(10).await;
    let pair = setup.send(&[3.0, 4.0]);
    setup.until_waiting(12).await;

    setup.gates[0].send(()).expect("a model");
    setup.gates[0].send(()).expect("a model");

    assert!(first.await.expect("no panic").is_ok());
    assert_eq!(values(&pair.await.expect("no panic").expect("embeddings")), [3.0, 4.0]);
    assert_eq!(setup.started.recv().await, Some(8), "the batch is full");
    assert!(!bulk.is_finished());
    setup.gates[0].send(()).expect("a model");
    assert_eq!(values(&bulk.await.expect("no panic").expect("embeddings")), [2.0; 10]);
    assert_eq!(setup.started.recv().await, Some(4));
}

#[tokio::test]
async fn models_share_one_queue() {
    let mut setup = setup_of(2, 8);
    let first = setup.send(&[1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    let second = setup.send(&[2.0]);
    assert_eq!(setup.started.recv().await, Some(1), "the second model did not wait for the first");

    for gate in &setup.gates {
        gate.send(()).expect("a model");
    }

    assert_eq!(values(&first.await.expect("no panic").expect("embeddings")), [1.0]);
    assert_eq!(values(&second.await.expect("no panic").expect("embeddings")), [2.0]);
}

#[tokio::test]
async fn a_job_without_a_place_is_refused_at_once() {
    let mut setup = setup(2);
    let pair = setup.send(&[1.0, 2.0]);
    assert_eq!(setup.started.recv().await, Some(2));

    assert!(matches!(setup.batcher.reserve(1), Err(Limit::Queue)));

    setup.gates[0].send(()).expect("a model");
    assert!(pair.await.expect("no panic").is_ok());
    assert!(setup.batcher.reserve(2).is_ok());
}

#[tokio::test]
async fn a_job_larger_than_the_limit_is_admitted_alone() {
    let setup = setup(2);
    let large = setup.batcher.reserve(3).expect("places");
    assert!(setup.batcher.reserve(1).is_err());
    drop(large);
    let _small = setup.batcher.reserve(1).expect("places");
    assert!(setup.batcher.reserve(3).is_err());
}

#[tokio::test]
async fn images_of_callers_that_left_are_not_run() {
    let mut setup = setup(8);
    let first = setup.send(&[1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    let gone = setup.send(&[2.0]);
    setup.until_waiting(1).await;
    gone.abort();
    assert!(gone.await.is_err());

    setup.gates[0].send(()).expect("a model");

    assert!(first.await.expect("no panic").is_ok());
    drop(setup.batcher);
    assert_eq!(setup.started.recv().await, None, "a run without a caller");
}

#[tokio::test]
async fn a_panic_fails_only_its_batch_and_renews_the_session() {
    let mut setup = setup(8);
    let bad = setup.send(&[-1.0]);
    setup.gates[0].send(()).expect("a model");
    assert!(matches!(bad.await.expect("no panic"), Err(EmbedError::Panicked)));
    soon(setup.batcher.failure()).await;

    let good = setup.send(&[5.0]);
    setup.gates[0].send(()).expect("a model");
    assert_eq!(values(&good.await.expect("no panic").expect("embeddings")), [5.0]);
    let taken = Event::Taken { run: 1, dropped: 0 };
    for event in [taken, Event::Panicked, Event::Renewed, taken] {
        assert_eq!(setup.events.recv().await, Some(event));
    }
}

#[tokio::test]
async fn without_a_new_session_no_caller_waits_for_ever() {
    let mut setup = setup(8);
    let first = setup.send(&[-1.0]);
    setup.gates[0].send(()).expect("a model");
    assert!(first.await.expect("no panic").is_err());
    assert_eq!(setup.started.recv().await, Some(1));
    let bad = setup.send(&[-1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    let waiting = setup.send(&[5.0]);
    setup.until_waiting(1).await;

    setup.gates[0].send(()).expect("a model");

    assert!(matches!(bad.await.expect("no panic"), Err(EmbedError::Panicked)));
    while setup.events.recv().await != Some(Event::Lost) {}
    assert!(matches!(waiting.await.expect("no panic"), Err(EmbedError::Stopped)));
    let late = setup.send(&[6.0]);
    assert!(matches!(late.await.expect("no panic"), Err(EmbedError::Stopped)));
}

#[tokio::test]
async fn a_run_that_does_not_end_is_reported() {
    let mut setup = setup(8);
    assert_eq!(setup.batcher.longest_run(), Duration::ZERO);
    let first = setup.send(&[1.0]);
    assert_eq!(setup.started.recv().await, Some(1));
    setup.until(|batcher| Duration::from_millis(1) <= batcher.longest_run()).await;

    setup.gates[0].send(()).expect("a model");

    assert!(first.await.expect("no panic").is_ok());
    setup.until(|batcher| batcher.longest_run().is_zero()).await;
}
