//! Requests of many pictures: they go through in portions, so that pairs find room between them.
//!
//! A portion is as many pictures as keep the towers busy for one run. Each takes its places with the tower only when its
//! turn has come; one is decoded while the one before it is in the tower.

use std::num::NonZeroUsize;

use futures_util::{StreamExt, stream};
use siamese_core::score::Embedding;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::batch::Rank;
use super::pipeline::{Asked, Spent};
use crate::http::error::Problem;
use crate::http::metrics::Full;
use crate::http::service::{InService, Service};

/// A pair: what has no more goes first, and as a whole.
const FEW: usize = 2;

/// Portions in hand of one request.
const OF_ONE: usize = 2;

/// Portions in hand of all requests: with the most pictures of each, they leave places for pairs.
const OF_ALL: usize = 4;

/// The least and the most pictures of a portion: a portion costs a turn, and takes places.
const PORTION: (usize, usize) = (8, 64);

/// What requests of many pictures share.
pub(crate) struct Many {
    /// Pictures of all of them.
    room: Semaphore,
    most: u32,
    /// Requests: a quarter of all at most, as each takes its time.
    requests: Semaphore,
    portions: Semaphore,
}

/// Room for the pictures of one request.
struct Admitted<'a> {
    _pictures: SemaphorePermit<'a>,
    _request: SemaphorePermit<'a>,
}

impl Many {
    /// For so many pictures, of a server that works on so many requests at once.
    pub(crate) fn new(most: NonZeroUsize, requests: usize) -> Self {
        let requests = Semaphore::new(requests.div_ceil(4));
        let most = u32::try_from(most.get()).unwrap_or(u32::MAX).min(MOST);
        let portions = Semaphore::new(OF_ALL);
        Self { room: Semaphore::new(most as usize), most, requests, portions }
    }

    /// Pictures that are in hand.
    pub(crate) fn pictures(&self) -> usize {
        self.most as usize - self.room.available_permits()
    }

    /// Lets so many pictures in, where there is room; more than there ever is are let in alone.
    fn admit(&self, pictures: usize) -> Option<Admitted<'_>> {
        let pictures = u32::try_from(pictures).unwrap_or(u32::MAX).min(self.most);
        let pictures = self.room.try_acquire_many(pictures).ok()?;
        Some(Admitted { _pictures: pictures, _request: self.requests.try_acquire().ok()? })
    }
}

/// More permits than any semaphore of a 32-bit machine has.
const MOST: u32 = u32::MAX >> 3;

impl Service {
    /// Embeds any number of sources, each with its own outcome, in order.
    ///
    /// No two are equal pictures: else each of them would be embedded.
    pub(crate) async fn embed_all(
        &self,
        on: &InService,
        mut asked: Vec<Asked>,
    ) -> Result<(Vec<Result<Embedding, Problem>>, Spent), Problem> {
        if asked.len() <= FEW {
            return self.portion(on, asked, Rank::Few).await;
        }
        let admitted = self.many.admit(asked.len());
        let _admitted = admitted.ok_or_else(|| self.overloaded(Full::Bulk))?;
        let size = on.batcher.full_house().clamp(PORTION.0, PORTION.1);
        let mut portions = Vec::with_capacity(asked.len().div_ceil(size));
        let mut outcomes = Vec::with_capacity(asked.len());
        while !asked.is_empty() {
            let rest = asked.split_off(size.min(asked.len()));
            portions.push(std::mem::replace(&mut asked, rest));
        }
        let mut done = stream::iter(portions)
            .map(|portion| async move {
                let _turn = self.many.portions.acquire().await.expect("never closed");
                self.portion(on, portion, Rank::Many).await
            })
            .buffered(OF_ONE);
        let mut spent = Spent::default();
        while let Some(portion) = done.next().await {
            let (more, took) = portion?;
            outcomes.extend(more);
            spent.add(took);
        }
        Ok((outcomes, spent))
    }

    async fn portion(
        &self,
        on: &InService,
        asked: Vec<Asked>,
        rank: Rank,
    ) -> Result<(Vec<Result<Embedding, Problem>>, Spent), Problem> {
        let mut spent = Spent::default();
        let work = self.prepare(on, asked, rank, &mut spent).await?;
        let outcomes = self.embed(work, &mut spent).await?;
        Ok((outcomes, spent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_refused_but_the_largest_is_let_in_alone() {
        let many = Many::new(NonZeroUsize::new(10).expect("not 0"), 8);
        let first = many.admit(6).expect("room");
        assert!(many.admit(5).is_none());
        assert_eq!(many.pictures(), 6);
        drop(first);
        let largest = many.admit(1000).expect("room");
        assert!(many.admit(1).is_none());
        drop(largest);
        assert_eq!(many.pictures(), 0);
    }
}
