//! The tower's owners behind a cheap handle: pictures come by message, batches form by themselves.
//!
//! Knows neither pictures' formats nor HTTP. There is no timer: a batch is whatever arrived while the
//! last one ran, so that a quiet server answers at once and a busy one fills its batches.
//!
//! A picture needs a *place* before it is worked on at all. What finds none is refused before it is
//! decoded, so that a server with more work than it can do spends nothing on what it refuses.

mod queue;
mod roster;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::causes;
use siamese_core::model::{Embedded, Tower, TowerError};
use siamese_core::picture::Pixels;
use thiserror::Error;
use tokio::sync::oneshot;

use super::admission::{Gate, Held, Limit};
pub use queue::Rank;
use queue::{Done, Item};
use roster::{Duty, Roster};

/// A handle to the towers' threads, which end when the last handle is gone.
#[derive(Clone)]
pub struct Batcher(Arc<Handle>);

/// Room for pictures that are worked on: to be prepared, waiting, or in the tower. Dropped, it is free again.
pub struct Places {
    handle: Arc<Handle>,
    since: Instant,
    _held: Held,
}

/// What a job's pictures became, and how long that took.
#[derive(Debug)]
pub struct Answer {
    /// One for each picture, in order.
    pub embedded: Vec<Embedded>,
    /// How long the job waited for a tower.
    pub queue: Duration,
    /// How long the run took that it was part of; the longer, if it was part of two.
    pub tower: Duration,
}

/// Why a job has no answer.
#[derive(Clone, Debug, Error)]
pub enum EmbedError {
    /// The tower failed on the batch.
    #[error("the tower failed")]
    Tower(#[source] Arc<TowerError>),
    /// The tower panicked on the batch.
    #[error("the tower panicked")]
    Panicked,
    /// The last of the towers' threads has ended.
    #[error("the tower has stopped")]
    Stopped,
}

/// What becomes of a tower's work, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A tower took pictures from the queue: it will run so many, and dropped others that nobody waits for any more.
    Taken {
        /// Pictures in the run.
        run: usize,
        /// Pictures dropped.
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
    roster: Arc<Roster>,
    places: Gate,
    /// Pictures that give each tower as many as it takes in one run.
    full_house: usize,
    /// How long work has lately stayed, in nanoseconds.
    stay: AtomicU64,
}

impl Batcher {
    /// Gives each of the towers a thread of its own, and all of them one queue.
    ///
    /// At most `places` pictures are worked on at once. A tower takes at most `largest` of them, and leaves the
    /// rest to the others. `observe` is told what becomes of each run.
    ///
    /// # Panics
    ///
    /// If the system gives no thread.
    pub fn start<T: Tower>(
        towers: Vec<T>,
        places: NonZeroUsize,
        largest: usize,
        observe: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        let roster = Arc::new(Roster::new(towers.len()));
        let full_house = towers.len() * largest;
        let observe = Arc::new(observe);
        for (at, tower) in towers.into_iter().enumerate() {
            let (duty, observe) = (Duty::new(roster.clone(), at), observe.clone());
            thread::Builder::new()
                .name("tower".to_owned())
                .spawn(move || work(tower, &duty, largest, &*observe))
                .expect("the system gives a thread at the start");
        }
        let places = Gate::new(places);
        Self(Arc::new(Handle { roster, places, full_house, stay: AtomicU64::new(0) }))
    }

    /// Reserves places for so many pictures, or refuses at once.
    ///
    /// A job of more pictures than there are places is let in alone.
    pub fn reserve(&self, pictures: usize) -> Result<Places, Limit> {
        let held = self.0.places.try_enter(pictures).ok_or(Limit::Places)?;
        Ok(self.places(held))
    }

    /// Waits for places, in the order of asking: for the work that the server must do.
    pub async fn wait(&self, pictures: usize) -> Places {
        self.places(self.0.places.enter(pictures).await)
    }

    /// As many pictures as keep all towers busy for one run.
    pub fn full_house(&self) -> usize {
        self.0.full_house
    }

    /// Pictures waiting for the tower.
    pub fn depth(&self) -> usize {
        self.0.roster.queue.len()
    }

    /// How long the run has taken that has been going on for longest; zero while none is.
    pub fn longest_run(&self) -> Duration {
        self.0.roster.longest_run()
    }

    /// Waits for the next run that fails. One that failed since the last call is not missed.
    pub async fn failure(&self) {
        self.0.roster.failed.notified().await;
    }

    /// Pictures being prepared, waiting for the tower or in it; at most as many as there are places.
    pub fn places_taken(&self) -> usize {
        self.0.places.taken()
    }

    /// How long the work now in hand will take: as long as work has lately stayed, since what leaves a full
    /// house is what came a stay ago (Little's law).
    pub fn drain_time(&self) -> Duration {
        Duration::from_nanos(self.0.stay.load(Ordering::Relaxed))
    }

    fn places(&self, held: Held) -> Places {
        Places { handle: self.0.clone(), since: Instant::now(), _held: held }
    }
}

impl Places {
    /// Embeds a job's pictures, together with whatever else is waiting; those of few go before those of many.
    ///
    /// # Cancel safety
    ///
    /// Pictures whose caller has gone, or let them go at their deadline, are dropped before they cost a run.
    pub async fn embed(self, pixels: Vec<Pixels>, rank: Rank) -> Result<Answer, EmbedError> {
        let queued = Instant::now();
        let (items, replies): (Vec<_>, Vec<_>) = pixels
            .into_iter()
            .map(|pixels| {
                let (reply, done) = oneshot::channel();
                (Item { pixels, queued, reply }, done)
            })
            .unzip();
        self.handle.roster.queue.put(items, rank);
        let mut answer = Answer {
            embedded: Vec::with_capacity(replies.len()),
            queue: Duration::ZERO,
            tower: Duration::ZERO,
        };
        for reply in replies {
            let Done { embedded, queue, tower } =
                reply.await.unwrap_or(Err(EmbedError::Stopped))?;
            answer.embedded.push(embedded);
            answer.queue = answer.queue.max(queue);
            answer.tower = answer.tower.max(tower);
        }
        let stay = smoothed(self.handle.stay.load(Ordering::Relaxed), self.since.elapsed());
        self.handle.stay.store(stay, Ordering::Relaxed);
        Ok(answer)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.roster.queue.close();
    }
}

/// The body of a tower's thread.
fn work(mut tower: impl Tower, duty: &Duty, largest: usize, observe: &impl Fn(Event)) {
    let queue = &duty.roster.queue;
    let mut items = Vec::with_capacity(largest);
    while queue.take(largest, &mut items) {
        let taken = items.len();
        items.retain(|it| !it.reply.is_closed());
        observe(Event::Taken { run: items.len(), dropped: taken - items.len() });
        if items.is_empty() {
            continue;
        }
        duty.begin();
        let ended = run(&mut tower, &mut items);
        if let Err(failure) = ended {
            duty.roster.failed.notify_one();
            observe(failure);
            if failure == Event::Panicked && !renew(&mut tower, observe) {
                return;
            }
        }
        duty.end();
    }
}

/// Runs the tower once, and tells all who wait.
fn run(tower: &mut impl Tower, items: &mut Vec<Item>) -> Result<(), Event> {
    let begun = Instant::now();
    let (pixels, callers): (Vec<_>, Vec<_>) =
        items.drain(..).map(|it| (it.pixels, (begun - it.queued, it.reply))).unzip();
    let result = catch_unwind(AssertUnwindSafe(|| tower.embed(&pixels)));
    let took = begun.elapsed();
    let embedded = match result {
        Ok(Ok(embedded)) => embedded.into_iter(),
        Ok(Err(err)) => {
            refuse(callers, &EmbedError::Tower(Arc::new(err)));
            return Err(Event::Failed);
        }
        Err(_) => {
            refuse(callers, &EmbedError::Panicked);
            return Err(Event::Panicked);
        }
    };
    debug_assert_eq!(embedded.len(), pixels.len(), "a tower skipped a picture");
    for (embedded, (queue, reply)) in embedded.zip(callers) {
        // The caller may have left in the meantime, which is no error.
        let _ = reply.send(Ok(Done { embedded, queue, tower: took }));
    }
    Ok(())
}

/// Puts a fresh session in the place of one whose state a panic has made doubtful; false where there is none.
fn renew(tower: &mut impl Tower, observe: &impl Fn(Event)) -> bool {
    let why = match catch_unwind(AssertUnwindSafe(|| tower.renew())) {
        Ok(Ok(())) => {
            tracing::warn!("the tower panicked; a fresh session goes on in its place");
            observe(Event::Renewed);
            return true;
        }
        Ok(Err(err)) => causes(&err),
        Err(_) => "it panicked again".to_owned(),
    };
    tracing::error!(why, "the tower panicked, and there is no fresh session to go on in its place");
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
