//! The queue and the threads of a model's sessions. Images arrive as messages and are combined to batches.
//!
//! This module knows no image formats and no HTTP. A batch contains the images that arrived during the previous run. A
//! server with little load responds at once, and a busy one fills its batches: while one session runs, an idle one waits
//! shortly for more images.
//!
//! An image needs a *reservation* before any work on it. Without one it is refused before it is decoded, so an
//! overloaded server spends nothing on requests that it refuses.

mod monitor;
mod queue;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::causes;
use siamese_core::model::{Embedded, Mapped, Model, ModelError};
use siamese_core::preprocessing::Pixels;
use thiserror::Error;
use tokio::sync::oneshot;

use super::admission::{Gate, Held, Limit};
use monitor::{RunMonitor, RunSlot};
pub use queue::Priority;
use queue::{Bell, ImageResult, Queue, QueuedImage, Reply, Sender};

/// A handle to the sessions' threads, which end when the last handle is dropped.
#[derive(Clone)]
pub struct Batcher(Arc<Handle>);

/// Places for images in progress: in decoding, in the queue or in a run. Dropping it returns them.
pub struct Reservation {
    handle: Arc<Handle>,
    since: Instant,
    _held: Held,
}

/// The results of a job's images, and the time they took.
#[derive(Debug)]
pub struct Output<T> {
    /// One for each image, in order.
    pub outputs: Vec<T>,
    /// The time in the queue.
    pub queue: Duration,
    /// The duration of the job's run; the longer one if the job was part of two.
    pub model: Duration,
}

/// Why a job has no result.
#[derive(Clone, Debug, Error)]
pub enum EmbedError {
    /// The run failed.
    #[error("the model failed")]
    Model(#[source] Arc<ModelError>),
    /// The run panicked.
    #[error("the model panicked")]
    Panicked,
    /// The last of the model's threads has ended.
    #[error("the model has stopped")]
    Stopped,
}

/// An event of a model's threads, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session took images from the queue. It drops those that no request waits for any more.
    Taken {
        /// Images in the run.
        run: usize,
        /// Images dropped.
        dropped: usize,
    },
    /// A run failed.
    Failed,
    /// A run panicked.
    Panicked,
    /// A new session replaced one that panicked.
    Renewed,
    /// No new session could be opened, so there is one session less.
    Lost,
}

/// The state that all handles share.
struct Handle {
    monitor: Arc<RunMonitor>,
    places: Gate,
    /// The number of images that fills one run of every session.
    full_run: usize,
    /// The recent time from reservation to result, in nanoseconds.
    time_in_system: AtomicU64,
}

impl Batcher {
    /// Starts a thread for each session, with one shared queue.
    ///
    /// At most `places` images are in progress at once. A session takes at most `largest` of them for a run. `observe`
    /// receives the events.
    ///
    /// # Panics
    ///
    /// If the system can't create a thread.
    pub fn start<T: Model>(
        models: Vec<T>,
        places: NonZeroUsize,
        largest: usize,
        observe: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        let places = Gate::new(places);
        let queue = Queue::new(models.len(), largest);
        let monitor = Arc::new(RunMonitor::new(models.len(), queue));
        let full_run = models.len() * largest;
        let observe = Arc::new(observe);
        for (index, model) in models.into_iter().enumerate() {
            let (slot, observe) = (RunSlot::new(monitor.clone(), index), observe.clone());
            thread::Builder::new()
                .name("model".to_owned())
                .spawn(move || work(model, &slot, &*observe))
                .expect("the system can create threads at the start");
        }
        Self(Arc::new(Handle { monitor, places, full_run, time_in_system: AtomicU64::new(0) }))
    }

    /// Reserves places for a number of images, or refuses at once.
    ///
    /// A job with more images than there are places is admitted if no other is in progress.
    pub fn reserve(&self, images: usize) -> Result<Reservation, Limit> {
        let held = self.0.places.try_enter(images).ok_or(Limit::Queue)?;
        Ok(self.reservation(held))
    }

    /// Waits for places, in the order of the calls: for work that must not be refused.
    pub async fn wait(&self, images: usize) -> Reservation {
        self.reservation(self.0.places.enter(images).await)
    }

    /// The number of images that keeps all sessions busy for one run.
    pub fn full_run(&self) -> usize {
        self.0.full_run
    }

    /// Images waiting for the model.
    pub fn depth(&self) -> usize {
        self.0.monitor.queue.len()
    }

    /// The duration of the longest run in progress; zero if there is none.
    pub fn longest_run(&self) -> Duration {
        self.0.monitor.longest_run()
    }

    /// Waits for the next failed run. A failure since the last call is not missed.
    pub async fn failure(&self) {
        self.0.monitor.failed.notified().await;
    }

    /// Images in decoding, in the queue or in a run; at most the number of places.
    pub fn reserved(&self) -> usize {
        self.0.places.taken()
    }

    /// The time until the work in progress is done: the recent time from reservation to result. By Little's law, a
    /// full queue is processed in that time.
    pub fn drain_time(&self) -> Duration {
        Duration::from_nanos(self.0.time_in_system.load(Ordering::Relaxed))
    }

    fn reservation(&self, held: Held) -> Reservation {
        Reservation { handle: self.0.clone(), since: Instant::now(), _held: held }
    }
}

impl Reservation {
    /// Embeds a job's images, together with others in the queue. Interactive images go before bulk images.
    ///
    /// # Cancel safety
    ///
    /// If the caller drops the future, for example at its deadline, its images are dropped before they are run.
    pub async fn embed(
        self,
        pixels: Vec<Pixels>,
        priority: Priority,
    ) -> Result<Output<Embedded>, EmbedError> {
        self.run(pixels, priority, Reply::Embedding).await
    }

    /// Computes the maps of a job's images, as [`Reservation::embed`] computes embeddings.
    pub async fn map(
        self,
        pixels: Vec<Pixels>,
        priority: Priority,
    ) -> Result<Output<Mapped>, EmbedError> {
        self.run(pixels, priority, Reply::Map).await
    }

    async fn run<T>(
        self,
        pixels: Vec<Pixels>,
        priority: Priority,
        reply: fn(Sender<T>) -> Reply,
    ) -> Result<Output<T>, EmbedError> {
        let queued = Instant::now();
        let (images, results): (Vec<_>, Vec<_>) = pixels
            .into_iter()
            .map(|pixels| {
                let (sender, result) = oneshot::channel();
                (QueuedImage { pixels, queued, reply: reply(sender) }, result)
            })
            .unzip();
        self.handle.monitor.queue.put(images, priority);
        let mut output = Output {
            outputs: Vec::with_capacity(results.len()),
            queue: Duration::ZERO,
            model: Duration::ZERO,
        };
        for result in results {
            let ImageResult { output: of_image, queue, model } =
                result.await.unwrap_or(Err(EmbedError::Stopped))?;
            output.outputs.push(of_image);
            output.queue = output.queue.max(queue);
            output.model = output.model.max(model);
        }
        let time_in_system =
            smoothed(self.handle.time_in_system.load(Ordering::Relaxed), self.since.elapsed());
        self.handle.time_in_system.store(time_in_system, Ordering::Relaxed);
        Ok(output)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.monitor.queue.close();
    }
}

/// The body of a session's thread.
fn work(mut model: impl Model, slot: &RunSlot, observe: &impl Fn(Event)) {
    let (queue, bell) = (&slot.monitor.queue, Bell::default());
    let mut images = Vec::new();
    while queue.take(&bell, &mut images) {
        let taken = images.len();
        images.retain(|image| !image.reply.is_closed());
        observe(Event::Taken { run: images.len(), dropped: taken - images.len() });
        if images.is_empty() {
            continue;
        }
        slot.begin();
        let ended = run(&mut model, &mut images);
        if let Err(failure) = ended {
            slot.monitor.failed.notify_one();
            observe(failure);
            if failure == Event::Panicked && !renew(&mut model, observe) {
                return;
            }
        }
        slot.end();
    }
}

/// Runs the model once for each kind of output, and sends the results to the callers.
fn run(model: &mut impl Model, images: &mut Vec<QueuedImage>) -> Result<(), Event> {
    let (mut to_embed, mut to_map) = (Job::default(), Job::default());
    for QueuedImage { pixels, queued, reply } in images.drain(..) {
        match reply {
            Reply::Embedding(sender) => to_embed.add(pixels, queued, sender),
            Reply::Map(sender) => to_map.add(pixels, queued, sender),
        }
    }
    let embedded = to_embed.run(|pixels| model.embed(pixels));
    if embedded == Err(Event::Panicked) {
        to_map.refuse(&EmbedError::Panicked);
        return embedded;
    }
    to_map.run(|pixels| model.map(pixels)).and(embedded)
}

/// Images that need the same kind of output.
struct Job<T> {
    pixels: Vec<Pixels>,
    callers: Vec<(Instant, Sender<T>)>,
}

impl<T> Default for Job<T> {
    fn default() -> Self {
        Self { pixels: Vec::new(), callers: Vec::new() }
    }
}

impl<T> Job<T> {
    fn add(&mut self, pixels: Pixels, queued: Instant, sender: Sender<T>) {
        self.pixels.push(pixels);
        self.callers.push((queued, sender));
    }

    fn run(self, model: impl FnOnce(&[Pixels]) -> Result<Vec<T>, ModelError>) -> Result<(), Event> {
        if self.pixels.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| model(&self.pixels)));
        let took = begun.elapsed();
        let outputs = match result {
            Ok(Ok(outputs)) => outputs,
            Ok(Err(err)) => {
                self.refuse(&EmbedError::Model(Arc::new(err)));
                return Err(Event::Failed);
            }
            Err(_) => {
                self.refuse(&EmbedError::Panicked);
                return Err(Event::Panicked);
            }
        };
        debug_assert_eq!(outputs.len(), self.pixels.len(), "a model skipped an image");
        for (output, (queued, sender)) in outputs.into_iter().zip(self.callers) {
            // The caller may have left in the meantime, which is no error.
            let _ = sender.send(Ok(ImageResult { output, queue: begun - queued, model: took }));
        }
        Ok(())
    }

    fn refuse(self, err: &EmbedError) {
        for (_, sender) in self.callers {
            let _ = sender.send(Err(err.clone()));
        }
    }
}

/// Replaces a session whose state a panic may have damaged. Returns false if that fails.
fn renew(model: &mut impl Model, observe: &impl Fn(Event)) -> bool {
    let why = match catch_unwind(AssertUnwindSafe(|| model.renew())) {
        Ok(Ok(())) => {
            tracing::warn!("the model panicked; a new session replaces the old one");
            observe(Event::Renewed);
            return true;
        }
        Ok(Err(err)) => causes(&err),
        Err(_) => "it panicked again".to_owned(),
    };
    tracing::error!(why, "the model panicked, and no new session can be opened");
    observe(Event::Lost);
    false
}

/// A moving average in nanoseconds, in which a new value has the weight of one eighth.
fn smoothed(before: u64, new: Duration) -> u64 {
    let new = u64::try_from(new.as_nanos()).unwrap_or(u64::MAX);
    if before == 0 { new } else { before - before / 8 + new / 8 }
}

#[cfg(test)]
mod tests;
