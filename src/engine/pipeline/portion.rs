//! A few images, or a portion of many, on their way together.
//!
//! Each source is sorted by what it needs, let in where there is room, decoded, and taken through the model.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use siamese_core::picture::Pixels;
use siamese_core::score::Embedding;
use tokio::time::{Instant, timeout_at};

use super::source::check;
use super::{Embedded, ItemError, Need, Refusal, Source, Timings};
use crate::engine::batch::{Places, Rank};
use crate::engine::cache::{Claim, Found, Key};
use crate::engine::decode::{Admitted, Place};
use crate::engine::deployment::Deployment;
use crate::engine::{Engine, Event, Stage};
use crate::ops::blocking::{SMALL, compute};

/// How long a request waits for embeddings that others are making of the same images. Then it makes them itself: theirs
/// may wait behind a decode that was made to be slow.
const OTHERS: Duration = Duration::from_millis(100);

/// A source on its way.
enum Item<'a> {
    /// To be decoded.
    Upload {
        upload: Bytes,
        /// Where.
        place: Place,
        /// To keep its embedding, where others may ask for it too.
        claim: Option<Claim<'a>>,
    },
    /// To be run.
    Pixels(Pixels, Option<Claim<'a>>),
    /// In the model.
    Running(Option<Claim<'a>>),
    /// At its end: embedded just now, stored by the client or known from before; or failed.
    Done(Result<Embedding, ItemError>),
}

/// What was let in for a portion's uploads before they are decoded.
struct Room {
    /// With the model: none yet where an upload is costly, so that those never hold what cheap ones need.
    places: Option<Places>,
    _lanes: Vec<Admitted>,
}

impl Engine {
    /// Takes sources through the model, all that need it in one run. No two are equal uploads.
    pub(super) async fn portion(
        &self,
        on: &Deployment,
        sources: Vec<Source>,
        rank: Rank,
        need: Need,
    ) -> Result<Embedded, Refusal> {
        let begun = Instant::now();
        let items = self.sort(on, sources, rank).await;
        let Room { mut places, _lanes } = self.admit(on, &items, rank).await?;
        let items = join_all(items.into_iter().map(|item| self.decode(on, item, rank))).await;
        let decode = begun.elapsed();
        self.observe(Event::Took(Stage::Decode, decode));
        if need == Need::All {
            first_failure(&items)?;
        }
        let decoded = items.iter().filter(|item| matches!(item, Item::Pixels(..))).count();
        if decoded == 0 {
            places = None;
        } else if places.is_none() {
            places = Some(on.batcher.wait(decoded).await);
        }
        drop(_lanes);
        let timings = Timings { decode, ..Timings::default() };
        match places {
            Some(places) => self.run(places, items, rank, timings).await,
            None => {
                Ok(Embedded { outcomes: items.into_iter().map(Item::outcome).collect(), timings })
            }
        }
    }

    /// Finds out of each source what it needs: nothing more, or a decode, and where.
    async fn sort<'a>(
        &self,
        on: &'a Deployment,
        sources: Vec<Source>,
        rank: Rank,
    ) -> Vec<Item<'a>> {
        let found = self.look_up(on, &sources).await;
        let sort = |(source, found): (Source, Option<Found<'a>>)| {
            let upload = match source {
                Source::Embedding(embedding, digest) => {
                    return Item::Done(check(&on.tower, embedding, digest));
                }
                Source::Upload(upload) => upload,
            };
            let claim = match found {
                Some(Found::Known(embedding)) => return Item::Done(Ok(embedding)),
                Some(Found::Claimed(claim)) => Some(claim),
                None => None,
            };
            match self.decoder.place(&upload, rank) {
                Ok(place) => Item::Upload { upload, place, claim },
                Err(err) => Item::Done(Err(err.into())),
            }
        };
        sources.into_iter().zip(found).map(sort).collect()
    }

    /// Asks the cache for each upload, in ascending order of keys, as claims want it. What others are at for too long is not
    /// waited for.
    async fn look_up<'a>(&self, on: &'a Deployment, sources: &[Source]) -> Vec<Option<Found<'a>>> {
        let mut found: Vec<Option<Found>> = sources.iter().map(|_| None).collect();
        let Some(cache) = &on.cache else { return found };
        let mut keys = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter().enumerate() {
            if let Source::Upload(upload) = source {
                keys.push((key(upload).await, at));
            }
        }
        keys.sort_unstable();
        let patience = Instant::now() + OTHERS;
        for (key, at) in keys {
            let looked = timeout_at(patience, cache.look(key)).await.ok();
            let is_known = matches!(looked, Some(Found::Known(_)));
            self.observe(Event::LookedUp { is_known });
            found[at] = looked;
        }
        found
    }

    /// Lets uploads in, or refuses all of them, before any is decoded. A portion of many, which was let in as a whole, waits.
    async fn admit(
        &self,
        on: &Deployment,
        items: &[Item<'_>],
        rank: Rank,
    ) -> Result<Room, Refusal> {
        let uploads = items.iter().filter_map(|item| match item {
            Item::Upload { upload, place, .. } => Some((*place, upload.len())),
            _ => None,
        });
        let uploads: Vec<(Place, usize)> = uploads.collect();
        let is_cheap = !uploads.iter().any(|(place, _)| matches!(place, Place::Worker(_)));
        let places = match rank {
            _ if uploads.is_empty() || !is_cheap => None,
            Rank::Few => Some(on.batcher.reserve(uploads.len()).map_err(Refusal::Overloaded)?),
            Rank::Many => Some(on.batcher.wait(uploads.len()).await),
        };
        let mut lanes = Vec::new();
        if rank == Rank::Few {
            for (place, bytes) in uploads {
                lanes.extend(self.decoder.admit(place, bytes).map_err(Refusal::Overloaded)?);
            }
        }
        Ok(Room { places, _lanes: lanes })
    }

    async fn decode<'a>(&self, on: &Deployment, item: Item<'a>, rank: Rank) -> Item<'a> {
        let Item::Upload { upload, place, claim } = item else { return item };
        match self.decoder.pixels(&on.tower, upload, place, rank).await {
            Ok(pixels) => Item::Pixels(pixels, claim),
            Err(err) => Item::Done(Err(err.into())),
        }
    }

    async fn run(
        &self,
        places: Places,
        mut items: Vec<Item<'_>>,
        rank: Rank,
        timings: Timings,
    ) -> Result<Embedded, Refusal> {
        let pixels = items.iter_mut().filter_map(Item::begin_run).collect();
        let answer = places.embed(pixels, rank).await.map_err(Refusal::Model)?;
        self.observe(Event::Took(Stage::Queue, answer.queue));
        self.observe(Event::Took(Stage::Tower, answer.tower));
        let mut embedded = answer.embedded.into_iter();
        let outcomes = items.into_iter().map(|item| match item {
            Item::Running(claim) => {
                let embedding = embedded.next().expect("the model answers for each image");
                let embedding = embedding.map_err(ItemError::Output)?;
                if let Some(claim) = claim {
                    claim.fulfil(embedding.clone());
                }
                Ok(embedding)
            }
            item => item.outcome(),
        });
        let outcomes = outcomes.collect();
        Ok(Embedded {
            outcomes,
            timings: Timings { queue: answer.queue, tower: answer.tower, ..timings },
        })
    }
}

impl Item<'_> {
    /// Gives its pixels to the model, where it has any.
    fn begin_run(&mut self) -> Option<Pixels> {
        let Self::Pixels(..) = self else { return None };
        let Self::Pixels(pixels, claim) = std::mem::replace(self, Self::Running(None)) else {
            unreachable!("it was looked at");
        };
        *self = Self::Running(claim);
        Some(pixels)
    }

    fn outcome(self) -> Result<Embedding, ItemError> {
        match self {
            Self::Done(outcome) => outcome,
            _ => unreachable!("without a run, all have ended"),
        }
    }
}

fn first_failure(items: &[Item]) -> Result<(), Refusal> {
    for (at, item) in items.iter().enumerate() {
        if let Item::Done(Err(error)) = item {
            return Err(Refusal::Item { at, error: error.clone() });
        }
    }
    Ok(())
}

/// The key of an upload.
async fn key(upload: &Bytes) -> Key {
    if upload.len() <= SMALL {
        return Key::of(upload);
    }
    let upload = upload.clone();
    compute(move || Key::of(&upload)).await
}
