//! The queue of images before a model's sessions.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use siamese_core::model::{Embedded, Mapped};
use siamese_core::preprocessing::Pixels;
use tokio::sync::oneshot;

use super::EmbedError;

/// One image in the queue, and the channel for its result.
pub(super) struct QueuedImage {
    pub(super) pixels: Pixels,
    pub(super) queued: Instant,
    pub(super) reply: Reply,
}

/// The channel for the result of one image. It tells what the model is to compute.
pub(super) enum Reply {
    Embedding(Sender<Embedded>),
    Map(Sender<Mapped>),
}

pub(super) type Sender<T> = oneshot::Sender<Result<ImageResult<T>, EmbedError>>;

/// The result of one image, and the time it took.
pub(super) struct ImageResult<T> {
    pub(super) output: T,
    pub(super) queue: Duration,
    pub(super) model: Duration,
}

impl Reply {
    /// Whether no request waits for the result any more.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Embedding(sender) => sender.is_closed(),
            Self::Map(sender) => sender.is_closed(),
        }
    }
}

/// The priority of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A single image or a pair of a request: it goes first.
    Interactive,
    /// An image of a larger request: it fills the rest of a batch.
    Bulk,
}

/// Two first-in-first-out queues, one for each priority. It has no limit itself: [reservations](super::Reservation)
/// bound it.
pub(super) struct Queue {
    state: Mutex<State>,
    /// The most images of one run.
    largest: usize,
}

/// What wakes one session.
pub(super) type Bell = Arc<Condvar>;

struct State {
    interactive: VecDeque<QueuedImage>,
    bulk: VecDeque<QueuedImage>,
    /// The interactive images taken since the last bulk image, while bulk images wait.
    interactive_taken: usize,
    /// Sessions that wait for images or run them.
    sessions: usize,
    /// The bells of the sessions that wait for images. The last one has run most recently: it is woken first, because the
    /// weights are still in the caches of its core.
    idle: Vec<Bell>,
    /// Idle sessions that are to share images which arrived while no session ran.
    called: usize,
    /// Whether a session waits for the end of [`PATIENCE`].
    is_watched: bool,
    closed: bool,
}

/// How long an image waits for others while a session is idle and another runs. It is longer than most runs of models
/// that gain from waiting, and a run that never ends delays nothing for longer.
const PATIENCE: Duration = Duration::from_millis(10);

impl State {
    /// The most interactive images taken before a waiting bulk image, so that bulk work progresses under any load.
    const MAX_AHEAD: usize = 8;

    fn len(&self) -> usize {
        self.interactive.len() + self.bulk.len()
    }

    /// Whether no session runs.
    fn is_at_rest(&self) -> bool {
        self.sessions <= self.idle.len()
    }

    /// Wakes idle sessions, the most recent one first.
    fn wake(&self, sessions: usize) {
        for bell in self.idle.iter().rev().take(sessions) {
            bell.notify_one();
        }
    }

    /// When the image was queued that has waited for longest.
    fn oldest(&self) -> Option<Instant> {
        let first = [&self.interactive, &self.bulk].map(|images| images.front());
        first.into_iter().flatten().map(|image| image.queued).min()
    }

    fn next(&mut self) -> Option<QueuedImage> {
        let first = if self.interactive_taken < Self::MAX_AHEAD {
            self.interactive.pop_front()
        } else {
            None
        };
        if first.is_some() {
            self.interactive_taken =
                if self.bulk.is_empty() { 0 } else { self.interactive_taken + 1 };
            return first;
        }
        self.interactive_taken = 0;
        self.bulk.pop_front().or_else(|| self.interactive.pop_front())
    }
}

impl Queue {
    /// A queue for `sessions` sessions, which run at most `largest` images at once.
    pub(super) fn new(sessions: usize, largest: usize) -> Self {
        let state = State {
            interactive: VecDeque::new(),
            bulk: VecDeque::new(),
            interactive_taken: 0,
            sessions,
            idle: Vec::new(),
            called: 0,
            is_watched: false,
            closed: false,
        };
        Self { state: Mutex::new(state), largest }
    }

    /// Adds images together: a waiting session sees all of them or none. A closed queue drops them.
    ///
    /// If no session runs, idle sessions share the images: the two of a pair run at the same time.
    pub(super) fn put(&self, images: Vec<QueuedImage>, priority: Priority) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        match priority {
            Priority::Interactive => state.interactive.extend(images),
            Priority::Bulk => state.bulk.extend(images),
        }
        if state.is_at_rest() {
            state.called = state.len().min(state.idle.len());
            state.wake(state.called);
        } else if self.are_enough(&state) {
            state.wake(self.shares(&state));
        } else if !state.is_watched {
            state.wake(1);
        }
    }

    /// Waits for images and takes as many as one run can have. Returns false once the queue is closed and empty. `bell`
    /// belongs to the calling session.
    ///
    /// While another session runs, an idle one waits until the images [are enough](Self::are_enough), or have waited for
    /// [`PATIENCE`].
    pub(super) fn take(&self, bell: &Bell, taken: &mut Vec<QueuedImage>) -> bool {
        let mut state = self.lock();
        state.idle.push(bell.clone());
        while !state.closed && !self.are_enough(&state) {
            let left = state.oldest().map(|queued| PATIENCE.saturating_sub(queued.elapsed()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    state.is_watched = true;
                    let waited = bell.wait_timeout(state, left);
                    let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                    state.is_watched = false;
                    state
                }
                None => bell.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let share = state.len().div_ceil(self.shares(&state)).min(self.largest);
        taken.extend(std::iter::from_fn(|| state.next()).take(share));
        state.idle.retain(|other| !Arc::ptr_eq(other, bell));
        state.called = state.called.saturating_sub(1);
        if state.len() != 0 {
            state.wake(1);
        }
        !taken.is_empty()
    }

    /// Whether an idle session should run the waiting images: if no other session runs, or if they are [half](Self::half) of
    /// what a run can have. Sessions that run one image each cost more than one that runs several together, and take the
    /// cores from the decoders, which would bring more images.
    fn are_enough(&self, state: &State) -> bool {
        let fewest = if state.is_at_rest() || 0 < state.called { 1 } else { self.half() };
        fewest <= state.len()
    }

    /// The number of idle sessions that share the waiting images; at least 1.
    fn shares(&self, state: &State) -> usize {
        let filled = state.idle.len().min(state.len() / self.half());
        filled.max(state.called).max(1)
    }

    /// Half of what a run can have. A model that gains nothing from batches has runs of one image, and half of one is one.
    fn half(&self) -> usize {
        self.largest.div_ceil(2)
    }

    /// A session will take no more images. If none is left, the waiting images are dropped, so that no caller waits for ever.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.sessions -= 1;
        if state.sessions == 0 {
            drop(state);
            self.abandon();
        } else {
            state.wake(usize::MAX);
        }
    }

    /// Closes the queue: no more images will come, and waiting sessions stop.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wake(usize::MAX);
    }

    /// Closes the queue and drops the waiting images.
    fn abandon(&self) {
        self.close();
        let waiting = {
            let mut state = self.lock();
            (std::mem::take(&mut state.interactive), std::mem::take(&mut state.bulk))
        };
        drop(waiting);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No operation under the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    /// A wait that takes longer never ends.
    const TIMEOUT: Duration = Duration::from_mins(2);

    fn images(count: usize) -> Vec<QueuedImage> {
        let item = || QueuedImage {
            pixels: Pixels::new(vec![0.0]),
            queued: Instant::now(),
            reply: Reply::Embedding(oneshot::channel().0),
        };
        std::iter::repeat_with(item).take(count).collect()
    }

    #[test]
    fn idle_models_share_what_comes() {
        let queue = Arc::new(Queue::new(2, 8));
        let (told, shares) = mpsc::channel();
        for _ in 0..2 {
            let (queue, told) = (queue.clone(), told.clone());
            thread::spawn(move || {
                let mut taken = Vec::new();
                queue.take(&Bell::default(), &mut taken);
                told.send(taken.len()).expect("a listener");
            });
        }
        let begun = Instant::now();
        while queue.lock().idle.len() < 2 {
            assert!(begun.elapsed() < TIMEOUT, "the models do not idle");
            thread::yield_now();
        }

        queue.put(images(3), Priority::Interactive);

        let mut shares = [(); 2].map(|()| shares.recv_timeout(TIMEOUT).expect("a share for each"));
        shares.sort_unstable();
        assert_eq!(shares, [1, 2]);
    }

    #[test]
    fn an_idle_session_waits_for_half_a_run_while_another_runs() {
        let queue = Arc::new(Queue::new(3, 8));
        let (told, shares) = mpsc::channel();
        let take = || {
            let (queue, told) = (queue.clone(), told.clone());
            thread::spawn(move || {
                let (mut taken, begun) = (Vec::new(), Instant::now());
                queue.take(&Bell::default(), &mut taken);
                told.send((taken.len(), begun.elapsed())).expect("a listener");
            });
        };
        take();
        take();
        let begun = Instant::now();
        while queue.lock().idle.len() < 2 {
            assert!(begun.elapsed() < TIMEOUT, "the models do not idle");
            thread::yield_now();
        }

        queue.put(images(1), Priority::Interactive);
        let (alone, waited) = shares.recv_timeout(TIMEOUT).expect("it is not forgotten");
        assert_eq!(alone, 1);
        assert!(PATIENCE <= waited, "{waited:?}");

        queue.put(images(4), Priority::Interactive);
        let (together, _) = shares.recv_timeout(TIMEOUT).expect("a share");
        assert_eq!(together, 4);
    }

    #[test]
    fn a_bulk_image_progresses_under_any_interactive_load() {
        let queue = Queue::new(1, 3 * State::MAX_AHEAD);
        let marked =
            |value| QueuedImage { pixels: Pixels::new(vec![value]), ..images(1).remove(0) };
        queue.put(vec![marked(1.0), marked(1.0)], Priority::Bulk);
        queue.put(images(3 * State::MAX_AHEAD), Priority::Interactive);
        let mut taken = Vec::new();
        queue.take(&Bell::default(), &mut taken);
        let is_bulk = |image: &QueuedImage| 0.0 < image.pixels.values()[0];
        let bulk_positions: Vec<usize> = taken
            .iter()
            .enumerate()
            .filter(|(_, image)| is_bulk(image))
            .map(|(position, _)| position)
            .collect();
        assert_eq!(bulk_positions, [State::MAX_AHEAD, 2 * State::MAX_AHEAD + 1]);
    }

    #[test]
    fn a_session_takes_at_most_its_batch_and_ends_after_the_last() {
        let queue = Queue::new(1, 2);
        queue.put(images(3), Priority::Interactive);
        queue.close();
        let mut taken = Vec::new();
        assert!(queue.take(&Bell::default(), &mut taken));
        assert_eq!((taken.len(), queue.len()), (2, 1));
        taken.clear();
        assert!(queue.take(&Bell::default(), &mut taken));
        taken.clear();
        assert!(!queue.take(&Bell::default(), &mut taken));
    }
}
