//! Limits that several models share, so that a busy model leaves room and turns for the others.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The number of models that share limits.
#[derive(Clone, Debug)]
pub struct Sharers(Arc<AtomicUsize>);

/// A limit on an amount, such as requests or bytes, that models share. Half of it is divided among the models, and the other
/// half is for the first that come. One model alone has all of it.
#[derive(Clone, Debug)]
pub struct SharedGate {
    most: usize,
    sharers: Sharers,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// The amount of each model that has taken something, by digest.
    of: HashMap<String, usize>,
}

/// An amount taken from a [`SharedGate`]. Dropping it returns the amount.
#[derive(Debug)]
#[must_use = "dropping it returns the amount"]
pub struct Share {
    taken: Arc<Mutex<Taken>>,
    model: String,
    amount: usize,
}

/// Work that runs only so many times at once. Models that wait take turns: each gets the next place after at most one turn
/// of each other model, however much work waits for that.
#[derive(Clone, Debug)]
pub struct Turns {
    most: usize,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    free: usize,
    /// The callers of each model, by digest, in the order of the models' turns. No model is in it without callers.
    models: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A place among [`Turns`]. Dropping it gives it to the next.
#[derive(Debug)]
#[must_use = "dropping it gives the place away"]
pub struct Turn(Option<Arc<Mutex<Waiting>>>);

impl Sharers {
    /// A number of models.
    pub fn new(models: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(models)))
    }

    /// Changes the number.
    pub fn set(&self, models: usize) {
        self.0.store(models, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed).max(1)
    }
}

impl SharedGate {
    /// A gate for `most` units.
    pub fn new(most: usize, sharers: Sharers) -> Self {
        Self { most: most.max(1), sharers, taken: Arc::default() }
    }

    /// Takes an amount for the model with this digest, or nothing. An amount above the limit is admitted if nothing is taken.
    pub fn try_enter(&self, model: &str, amount: usize) -> Option<Share> {
        let amount = amount.min(self.most);
        let mut taken = lock(&self.taken);
        if amount != 0 && taken.total != 0 && self.available(&taken, model) < amount {
            return None;
        }
        taken.add(model, amount);
        Some(Share { taken: self.taken.clone(), model: model.to_owned(), amount })
    }

    /// Raises the amount of a share to `amount` in all. Returns whether that was possible.
    pub fn try_grow(&self, share: &mut Share, amount: usize) -> bool {
        let mut taken = lock(&self.taken);
        let missing = amount.min(self.most).saturating_sub(share.amount);
        if taken.total != share.amount && self.available(&taken, &share.model) < missing {
            return false;
        }
        taken.add(&share.model, missing);
        share.amount += missing;
        true
    }

    /// Whether the model can take nothing.
    pub fn is_full(&self, model: &str) -> bool {
        self.available(&lock(&self.taken), model) == 0
    }

    /// The amount that all models have taken.
    pub fn taken(&self) -> usize {
        lock(&self.taken).total
    }

    /// What a model can take: all that is left, except what others may still take of their shares.
    fn available(&self, taken: &Taken, model: &str) -> usize {
        let sharers = self.sharers.get();
        let share = self.most / 2 / sharers;
        let others = taken.of.iter().filter(|(other, _)| *other != model);
        let used: usize = others.map(|(_, amount)| share.min(*amount)).sum();
        let kept = ((sharers - 1) * share).saturating_sub(used);
        self.most.saturating_sub(taken.total + kept)
    }
}

impl Taken {
    fn add(&mut self, model: &str, amount: usize) {
        self.total += amount;
        match self.of.get_mut(model) {
            Some(taken) => *taken += amount,
            None => drop(self.of.insert(model.to_owned(), amount)),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.total -= self.amount;
        if let Some(amount) = taken.of.get_mut(&self.model) {
            *amount -= self.amount;
            if *amount == 0 {
                taken.of.remove(&self.model);
            }
        }
    }
}

impl Turns {
    /// Turns of work that runs `most` times at once.
    pub fn new(most: NonZeroUsize) -> Self {
        let waiting = Waiting { free: most.get(), models: VecDeque::new() };
        Self { most: most.get(), waiting: Arc::new(Mutex::new(waiting)) }
    }

    /// The limit.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Waits for the turn of the model with this digest.
    ///
    /// # Cancel safety
    ///
    /// A caller that leaves loses its place in the order, and no turn is lost.
    #[expect(clippy::missing_panics_doc, reason = "a turn is given to each caller that waits")]
    pub async fn enter(&self, model: &str) -> Turn {
        let turn = {
            let mut waiting = lock(&self.waiting);
            if 0 < waiting.free {
                waiting.free -= 1;
                return Turn(Some(self.waiting.clone()));
            }
            let (sender, turn) = oneshot::channel();
            match waiting.models.iter_mut().find(|(other, _)| other == model) {
                Some((_, callers)) => callers.push_back(sender),
                None => waiting.models.push_back((model.to_owned(), [sender].into())),
            }
            turn
        };
        turn.await.expect("the queue is not dropped while a caller has it")
    }
}

impl Waiting {
    /// The caller whose turn is next. Its model goes to the end of the order.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (model, mut callers) = self.models.pop_front()?;
        let next = callers.pop_front();
        if !callers.is_empty() {
            self.models.push_back((model, callers));
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(waiting) = self.0.take() else { return };
        loop {
            let next = {
                let mut waiting = lock(&waiting);
                let next = waiting.next();
                if next.is_none() {
                    waiting.free += 1;
                    return;
                }
                next
            };
            let turn = Self(Some(waiting.clone()));
            // A caller that has left returns the turn, which goes to the one after it.
            match next.map(|caller| caller.send(turn)) {
                Some(Err(mut returned)) => returned.0 = None,
                _ => return,
            }
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // No operation under the lock can leave the state inconsistent.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn one_model_alone_has_the_whole_limit() {
        let gate = SharedGate::new(4, Sharers::new(1));
        let held: Vec<Share> = std::iter::from_fn(|| gate.try_enter("a", 1)).collect();
        assert_eq!((held.len(), gate.taken(), gate.is_full("a")), (4, 4, true));
        drop(held);
        let largest = gate.try_enter("a", 100).expect("nothing is taken");
        assert!(gate.try_enter("a", 1).is_none());
        drop(largest);
        assert_eq!(gate.taken(), 0);
        assert!(lock(&gate.taken).of.is_empty(), "nothing is kept of a model that left");
    }

    #[test]
    fn busy_models_leave_each_other_model_its_share() {
        let gate = SharedGate::new(60, Sharers::new(3));
        let fill =
            |model| -> Vec<Share> { std::iter::from_fn(|| gate.try_enter(model, 1)).collect() };
        let first = fill("a");
        assert_eq!(first.len(), 40, "10 are kept for each other model");
        let second = fill("b");
        assert_eq!(second.len(), 10);
        let third = fill("c");
        assert_eq!(third.len(), 10, "two busy models leave the third its share");
        drop(first);
        assert_eq!(fill("c").len(), 30);
        drop((second, third));
        assert_eq!(gate.taken(), 0);
    }

    #[test]
    fn a_share_grows_into_what_others_leave() {
        let gate = SharedGate::new(40, Sharers::new(2));
        let mut first = gate.try_enter("a", 0).expect("nothing always fits");
        assert!(gate.try_grow(&mut first, 20) && gate.try_grow(&mut first, 30));
        let mut more = gate.try_enter("a", 0).expect("nothing always fits");
        assert!(!gate.try_grow(&mut more, 1), "10 are kept for the other model");
        let mut other = gate.try_enter("b", 0).expect("nothing always fits");
        assert!(gate.try_grow(&mut other, 10) && !gate.try_grow(&mut other, 11));
        drop((first, more, other));
        assert_eq!(gate.taken(), 0);
        assert!(lock(&gate.taken).of.is_empty());
    }

    #[tokio::test]
    async fn models_that_wait_take_turns() {
        let turns = Turns::new(NonZeroUsize::MIN);
        let running = turns.enter("a").await;
        let mut waiting: Vec<_> = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("c", 6)]
            .into_iter()
            .map(|(model, number)| (number, Box::pin(turns.enter(model))))
            .collect();
        for (_, caller) in &mut waiting {
            assert!(timeout(Duration::ZERO, caller).await.is_err(), "the place is taken");
        }
        // The second caller of b leaves.
        drop(waiting.remove(4));
        drop(running);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let mut next = None;
            for (at, (_, caller)) in waiting.iter_mut().enumerate() {
                if let Ok(turn) = timeout(Duration::ZERO, caller).await {
                    assert!(next.is_none(), "only one runs at once");
                    next = Some((at, turn));
                }
            }
            let (at, turn) = next.expect("somebody has the turn");
            order.push(waiting.remove(at).0);
            drop(turn);
        }
        assert_eq!(order, [1, 4, 6, 2, 3]);
        let _turn = timeout(Duration::from_mins(1), turns.enter("d")).await.expect("a free place");
    }

    #[tokio::test]
    async fn a_turn_given_to_a_caller_that_leaves_is_not_lost() {
        let turns = Turns::new(NonZeroUsize::MIN);
        let running = turns.enter("a").await;
        let mut caller = Box::pin(turns.enter("a"));
        assert!(timeout(Duration::ZERO, &mut caller).await.is_err());
        drop(running);
        drop(caller);
        let _turn = timeout(Duration::from_mins(1), turns.enter("b")).await.expect("a free place");
    }
}
