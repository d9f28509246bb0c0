//! The queue of images before a model's sessions.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
    arrived: Condvar,
}

struct State {
    interactive: VecDeque<QueuedImage>,
    bulk: VecDeque<QueuedImage>,
    /// The interactive images taken since the last bulk image, while bulk images wait.
    interactive_taken: usize,
    /// Sessions that wait for images.
    idle: usize,
    closed: bool,
}

impl State {
    /// The most interactive images taken before a waiting bulk image, so that bulk work progresses under any load.
    const MAX_AHEAD: usize = 8;

    fn len(&self) -> usize {
        self.interactive.len() + self.bulk.len()
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
    pub(super) fn new() -> Self {
        let (interactive, bulk) = (VecDeque::new(), VecDeque::new());
        let state = State { interactive, bulk, interactive_taken: 0, idle: 0, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Adds images together: a waiting session sees all of them or none. A closed queue drops them.
    pub(super) fn put(&self, images: Vec<QueuedImage>, priority: Priority) {
        let arrived = images.len();
        let idle = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            match priority {
                Priority::Interactive => state.interactive.extend(images),
                Priority::Bulk => state.bulk.extend(images),
            }
            state.idle
        };
        for _ in 0..arrived.min(idle) {
            self.arrived.notify_one();
        }
    }

    /// Waits for images and takes up to `largest`. Returns false once the queue is closed and empty.
    ///
    /// Idle sessions share the waiting images: two sessions run two images at the same time.
    pub(super) fn take(&self, largest: usize, taken: &mut Vec<QueuedImage>) -> bool {
        let mut state = self.lock();
        state.idle += 1;
        while state.len() == 0 && !state.closed {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let share = state.len().div_ceil(state.idle).min(largest);
        taken.extend(std::iter::from_fn(|| state.next()).take(share));
        state.idle -= 1;
        !taken.is_empty()
    }

    /// Closes the queue: no more images will come, and waiting sessions stop.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Closes the queue and drops the waiting images, because no session is left.
    pub(super) fn abandon(&self) {
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
        let queue = Arc::new(Queue::new());
        let (told, shares) = mpsc::channel();
        for _ in 0..2 {
            let (queue, told) = (queue.clone(), told.clone());
            thread::spawn(move || {
                let mut taken = Vec::new();
                queue.take(8, &mut taken);
                told.send(taken.len()).expect("a listener");
            });
        }
        let begun = Instant::now();
        while queue.lock().idle < 2 {
            assert!(begun.elapsed() < TIMEOUT, "the models do not idle");
            thread::yield_now();
        }

        queue.put(images(3), Priority::Interactive);

        let mut shares = [(); 2].map(|()| shares.recv_timeout(TIMEOUT).expect("a share for each"));
        shares.sort_unstable();
        assert_eq!(shares, [1, 2]);
    }

    #[test]
    fn a_bulk_image_progresses_under_any_interactive_load() {
        let queue = Queue::new();
        let marked =
            |value| QueuedImage { pixels: Pixels::new(vec![value]), ..images(1).remove(0) };
        queue.put(vec![marked(1.0), marked(1.0)], Priority::Bulk);
        queue.put(images(3 * State::MAX_AHEAD), Priority::Interactive);
        let mut taken = Vec::new();
        queue.take(3 * State::MAX_AHEAD, &mut taken);
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
        let queue = Queue::new();
        queue.put(images(3), Priority::Interactive);
        queue.close();
        let mut taken = Vec::new();
        assert!(queue.take(2, &mut taken));
        assert_eq!((taken.len(), queue.len()), (2, 1));
        taken.clear();
        assert!(queue.take(2, &mut taken));
        taken.clear();
        assert!(!queue.take(2, &mut taken));
    }
}
