//! The model's owners behind a cheap handle: images come by message, batches form by themselves.
//!
//! Knows neither images' formats nor HTTP. There is no timer: a batch is whatever arrived while the
//! last one ran, so that a quiet server answers at once and a busy one fills its batches.
//!
//! An image needs a *place* before it is worked on at all. What finds none is refused before it is
//! decoded, so that a server with more work than it can do spends nothing on what it refuses.

mod monitor;
mod queue;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::causes;
use siamese_core::model::{Embedded, Model, ModelError};
use siamese_core::preprocessing::Pixels;
use thiserror::Error;
use tokio::sync::oneshot;

use super::admission::{Gate, Held, Limit};
use monitor::{RunMonitor, RunSlot};
pub use queue::Priority;
use queue::{Done, Item};

/// A handle to the models' threads, which end when the last handle is gone.
#[derive(Clone)]
pub struct Batcher(Arc<Handle>);

/// Room for images that are worked on: to be preprocessed, waiting, or in the model. Dropped, it is free again.
pub struct Reservation {
    handle: Arc<Handle>,
    since: Instant,
    _held: Held,
}

/// What a job's images became, and how long that took.
#[derive(Debug)]
pub struct Answer {
    /// One for each image, in order.
    pub embedded: Vec<Embedded>,
    /// How long the job waited for a model.
    pub queue: Duration,
    /// How long the run took that it was part of; the longer, if it was part of two.
    pub model: Duration,
}

/// Why a job has no answer.
#[derive(Clone, Debug, Error)]
pub enum EmbedError {
    /// The model failed on the batch.
    #[error("the model failed")]
    Model(#[source] Arc<ModelError>),
    /// The model panicked on the batch.
    #[error("the model panicked")]
    Panicked,
    /// The last of the models' threads has ended.
    #[error("the model has stopped")]
    Stopped,
}

/// What becomes of a model's work, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A model took images from the queue: it will run so many, and dropped others that nobody waits for any more.
    Taken {
        /// Images in the run.
        run: usize,
        /// Images dropped.
        dropped: usize,
    },
    /// A run ended in an error.
    Failed,
    /// A run ended in a panic.
    Panicked,
    /// A fresh session took the place of one that panicked.
    Renewed,
    /// There was none to be had, so that there is one session less.
    Lost,
}

/// What the batchers of one crew share.
struct Handle {
    monitor: Arc<RunMonitor>,
    places: Gate,
    /// Images that give each model as many as it takes in one run.
    full_house: usize,
    /// How long work has lately stayed, in nanoseconds.
    time_in_system: AtomicU64,
}

impl Batcher {
    /// Gives each of the models a thread of its own, and all of them one queue.
    ///
    /// At most `places` images are worked on at once. A model takes at most `largest` of them, and leaves the
    /// rest to the others. `observe` is told what becomes of each run.
    ///
    /// # Panics
    ///
    /// If the system gives no thread.
    pub fn start<T: Model>(
        models: Vec<T>,
        places: NonZeroUsize,
        largest: usize,
        observe: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        let monitor = Arc::new(RunMonitor::new(models.len()));
        let full_house = models.len() * largest;
        let observe = Arc::new(observe);
        for (at, model) in models.into_iter().enumerate() {
            let (slot, observe) = (RunSlot::new(monitor.clone(), at), observe.clone());
            thread::Builder::new()
                .name("model".to_owned())
                .spawn(move || work(model, &slot, largest, &*observe))
                .expect("the system gives a thread at the start");
        }
        let places = Gate::new(places);
        Self(Arc::new(Handle { monitor, places, full_house, time_in_system: AtomicU64::new(0) }))
    }

    /// Reserves places for so many images, or refuses at once.
    ///
    /// A job of more images than there are places is let in alone.
    pub fn reserve(&self, images: usize) -> Result<Reservation, Limit> {
        let held = self.0.places.try_enter(images).ok_or(Limit::Queue)?;
        Ok(self.places(held))
    }

    /// Waits for places, in the order of asking: for the work that the server must do.
    pub async fn wait(&self, images: usize) -> Reservation {
        self.places(self.0.places.enter(images).await)
    }

    /// As many images as keep all models busy for one run.
    pub fn full_house(&self) -> usize {
        self.0.full_house
    }

    /// Images waiting for the model.
    pub fn depth(&self) -> usize {
        self.0.monitor.queue.len()
    }

    /// How long the run has taken that has been going on for longest; zero while none is.
    pub fn longest_run(&self) -> Duration {
        self.0.monitor.longest_run()
    }

    /// Waits for the next run that fails. One that failed since the last call is not missed.
    pub async fn failure(&self) {
        self.0.monitor.failed.notified().await;
    }

    /// Images being preprocessed, waiting for the model or in it; at most as many as there are places.
    pub fn reserved(&self) -> usize {
        self.0.places.taken()
    }

    /// How long the work now in hand will take: as long as work has lately stayed, since what leaves a full
    /// house is what came a stay ago (Little's law).
    pub fn drain_time(&self) -> Duration {
        Duration::from_nanos(self.0.time_in_system.load(Ordering::Relaxed))
    }

    fn places(&self, held: Held) -> Reservation {
        Reservation { handle: self.0.clone(), since: Instant::now(), _held: held }
    }
}

impl Reservation {
    /// Embeds a job's images, together with whatever else is waiting; those of few go before those of many.
    ///
    /// # Cancel safety
    ///
    /// Images whose caller has gone, or let them go at their deadline, are dropped before they cost a run.
    pub async fn embed(
        self,
        pixels: Vec<Pixels>,
        priority: Priority,
    ) -> Result<Answer, EmbedError> {
        let queued = Instant::now();
        let (items, replies): (Vec<_>, Vec<_>) = pixels
            .into_iter()
            .map(|pixels| {
                let (reply, done) = oneshot::channel();
                (Item { pixels, queued, reply }, done)
            })
            .unzip();
        self.handle.monitor.queue.put(items, priority);
        let mut answer = Answer {
            embedded: Vec::with_capacity(replies.len()),
            queue: Duration::ZERO,
            model: Duration::ZERO,
        };
        for reply in replies {
            let Done { embedded, queue, model } =
                reply.await.unwrap_or(Err(EmbedError::Stopped))?;
            answer.embedded.push(embedded);
            answer.queue = answer.queue.max(queue);
            answer.model = answer.model.max(model);
        }
        let time_in_system =
            smoothed(self.handle.time_in_system.load(Ordering::Relaxed), self.since.elapsed());
        self.handle.time_in_system.store(time_in_system, Ordering::Relaxed);
        Ok(answer)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.monitor.queue.close();
    }
}

/// The body of a model's thread.
fn work(mut model: impl Model, slot: &RunSlot, largest: usize, observe: &impl Fn(Event)) {
    let queue = &slot.monitor.queue;
    let mut items = Vec::with_capacity(largest);
    while queue.take(largest, &mut items) {
        let taken = items.len();
        items.retain(|it| !it.reply.is_closed());
        observe(Event::Taken { run: items.len(), dropped: taken - items.len() });
        if items.is_empty() {
            continue;
        }
        slot.begin();
        let ended = run(&mut model, &mut items);
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

/// Runs the model once, and tells all who wait.
fn run(model: &mut impl Model, items: &mut Vec<Item>) -> Result<(), Event> {
    let begun = Instant::now();
    let (pixels, callers): (Vec<_>, Vec<_>) =
        items.drain(..).map(|it| (it.pixels, (begun - it.queued, it.reply))).unzip();
    let result = catch_unwind(AssertUnwindSafe(|| model.embed(&pixels)));
    let took = begun.elapsed();
    let embedded = match result {
        Ok(Ok(embedded)) => embedded.into_iter(),
        Ok(Err(err)) => {
            refuse(callers, &EmbedError::Model(Arc::new(err)));
            return Err(Event::Failed);
        }
        Err(_) => {
            refuse(callers, &EmbedError::Panicked);
            return Err(Event::Panicked);
        }
    };
    debug_assert_eq!(embedded.len(), pixels.len(), "a model skipped an image");
    for (embedded, (queue, reply)) in embedded.zip(callers) {
        // The caller may have left in the meantime, which is no error.
        let _ = reply.send(Ok(Done { embedded, queue, model: took }));
    }
    Ok(())
}

/// Puts a fresh session in the place of one whose state a panic has made doubtful; false where there is none.
fn renew(model: &mut impl Model, observe: &impl Fn(Event)) -> bool {
    let why = match catch_unwind(AssertUnwindSafe(|| model.renew())) {
        Ok(Ok(())) => {
            tracing::warn!("the model panicked; a fresh session goes on in its place");
            observe(Event::Renewed);
            return true;
        }
        Ok(Err(err)) => causes(&err),
        Err(_) => "it panicked again".to_owned(),
    };
    tracing::error!(why, "the model panicked, and there is no fresh session to go on in its place");
    observe(Event::Lost);
    false
}

type Caller = (Duration, oneshot::Sender<Result<Done, EmbedError>>);

fn refuse(callers: Vec<Caller>, err: &EmbedError) {
    for (_, reply) in callers {
        let _ = reply.send(Err(err.clone()));
    }
}

/// A mean in nanoseconds in which what is new weighs an eighth.
fn smoothed(before: u64, new: Duration) -> u64 {
    let new = u64::try_from(new.as_nanos()).unwrap_or(u64::MAX);
    if before == 0 { new } else { before - before / 8 + new / 8 }
}

#[cfg(test)]
mod tests;
