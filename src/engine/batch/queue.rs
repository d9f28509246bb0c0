//! Pictures that wait for a tower, and the towers that wait for pictures.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use siamese_core::model::Embedded;
use siamese_core::picture::Pixels;
use tokio::sync::oneshot;

use super::EmbedError;

/// One picture, and who waits for its embedding.
pub(super) struct Item {
    pub(super) pixels: Pixels,
    pub(super) queued: Instant,
    pub(super) reply: oneshot::Sender<Result<Done, EmbedError>>,
}

/// What became of one picture, and how long that took.
pub(super) struct Done {
    pub(super) embedded: Embedded,
    pub(super) queue: Duration,
    pub(super) tower: Duration,
}

/// Whether somebody waits for these pictures alone, or for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// A picture or a pair: they go first.
    Few,
    /// A portion of many: they fill what is left.
    Many,
}

/// Pictures in the order they came, in two lines. It knows no end: [places](super::Places) bound it.
pub(super) struct Queue {
    state: Mutex<State>,
    came: Condvar,
}

struct State {
    few: VecDeque<Item>,
    many: VecDeque<Item>,
    /// Pictures of few that went first since one of many did, which was waiting.
    went_first: usize,
    /// Towers that have nothing to do.
    idle: usize,
    closed: bool,
}

impl State {
    /// So many of few go first while one of many waits; then that one does, so that many get on under any load.
    const PATIENCE: usize = 8;

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    fn next(&mut self) -> Option<Item> {
        let first = if self.went_first < Self::PATIENCE { self.few.pop_front() } else { None };
        if first.is_some() {
            self.went_first = if self.many.is_empty() { 0 } else { self.went_first + 1 };
            return first;
        }
        self.went_first = 0;
        self.many.pop_front().or_else(|| self.few.pop_front())
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        let (few, many) = (VecDeque::new(), VecDeque::new());
        let state = State { few, many, went_first: 0, idle: 0, closed: false };
        Self { state: Mutex::new(state), came: Condvar::new() }
    }

    /// Adds pictures, all at once: a tower that waits for them sees all or none. A closed queue drops them.
    pub(super) fn put(&self, items: Vec<Item>, rank: Rank) {
        let came = items.len();
        let idle = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            match rank {
                Rank::Few => state.few.extend(items),
                Rank::Many => state.many.extend(items),
            }
            state.idle
        };
        for _ in 0..came.min(idle) {
            self.came.notify_one();
        }
    }

    /// Waits for pictures and takes up to `largest`; false once there will be no more.
    ///
    /// Towers that are idle share what waits: two pictures are done at once by two towers.
    pub(super) fn take(&self, largest: usize, taken: &mut Vec<Item>) -> bool {
        let mut state = self.lock();
        state.idle += 1;
        while state.len() == 0 && !state.closed {
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let share = state.len().div_ceil(state.idle).min(largest);
        taken.extend(std::iter::from_fn(|| state.next()).take(share));
        state.idle -= 1;
        !taken.is_empty()
    }

    /// No more will come: who waits in vain stops waiting.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
    }

    /// No more will come, and what waits is dropped, as nobody is left to take it.
    pub(super) fn abandon(&self) {
        self.close();
        let waiting = {
            let mut state = self.lock();
            (std::mem::take(&mut state.few), std::mem::take(&mut state.many))
        };
        drop(waiting);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    /// Whoever waits so long waits for ever.
    const LIMIT: Duration = Duration::from_mins(2);

    fn items(count: usize) -> Vec<Item> {
        let item = || Item {
            pixels: Pixels::new(vec![0.0]),
            queued: Instant::now(),
            reply: oneshot::channel().0,
        };
        std::iter::repeat_with(item).take(count).collect()
    }

    #[test]
    fn idle_towers_share_what_comes() {
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
            assert!(begun.elapsed() < LIMIT, "the towers do not idle");
            thread::yield_now();
        }

        queue.put(items(3), Rank::Few);

        let mut shares = [(); 2].map(|()| shares.recv_timeout(LIMIT).expect("a share for each"));
        shares.sort_unstable();
        assert_eq!(shares, [1, 2]);
    }

    #[test]
    fn one_of_many_gets_on_however_many_few_come() {
        let queue = Queue::new();
        let marked = |value| Item { pixels: Pixels::new(vec![value]), ..items(1).remove(0) };
        queue.put(vec![marked(1.0), marked(1.0)], Rank::Many);
        queue.put(items(3 * State::PATIENCE), Rank::Few);
        let mut taken = Vec::new();
        queue.take(3 * State::PATIENCE, &mut taken);
        let at = |it: &Item| 0.0 < it.pixels.values()[0];
        let of_many: Vec<usize> =
            taken.iter().enumerate().filter(|(_, it)| at(it)).map(|(at, _)| at).collect();
        assert_eq!(of_many, [State::PATIENCE, 2 * State::PATIENCE + 1]);
    }

    #[test]
    fn a_tower_takes_no_more_than_it_can_and_ends_after_the_last() {
        let queue = Queue::new();
        queue.put(items(3), Rank::Few);
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
