//! The way of a request's images: from sources to embeddings.
//!
//! A request of more than a pair goes through in portions, so that pairs find room between them: as many images as keep the
//! model busy for one run. Each takes its places with the model only when its turn has come; one is decoded while the one
//! before it is in the model.

mod portion;
mod source;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use siamese_core::picture::PictureError;
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;
use tokio::time::Instant;

use super::admission::Limit;
use super::batch::{EmbedError, Rank};
use super::deployment::Deployment;
use super::{Engine, Event, Stage};

pub use source::Source;
use source::distinct;

/// A pair: what has no more goes first, and as a whole.
const FEW: usize = 2;

/// Portions in hand of one request.
const PORTIONS_OF_ONE: usize = 2;

/// The least and the most images of a portion: a portion costs a turn, and takes places.
const PORTION: (usize, usize) = (8, 64);

/// What became of a request's sources.
#[derive(Debug)]
pub struct Embedded {
    /// One for each source, in order.
    pub outcomes: Vec<Result<Embedding, ItemError>>,
    /// Where the time went.
    pub timings: Timings,
}

/// Where a request's time went. Portions overlap, so that together they may seem to take longer than their request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From sources to pixels.
    pub decode: Duration,
    /// Waiting for the model.
    pub queue: Duration,
    /// The run it was part of.
    pub tower: Duration,
}

/// Why one source has no embedding.
#[derive(Clone, Debug, Error)]
pub enum ItemError {
    /// The upload can't be decoded.
    #[error(transparent)]
    Image(#[from] PictureError),
    /// A stored embedding is another model's; this one's digest is told.
    #[error("the embedding was made by another tower; this one is {0}")]
    ModelMismatch(String),
    /// A stored embedding has another width.
    #[error("the embedding has {found} numbers, this tower's have {expected}")]
    Width {
        /// Its numbers.
        found: usize,
        /// Those of the model's.
        expected: usize,
    },
    /// A stored embedding is not of unit length, and the model's are.
    #[error("the length of this tower's embeddings is 1, and this one's is {0:.4}")]
    Length(f64),
    /// The model's output is no embedding.
    #[error("the tower's output is no embedding")]
    Output(#[source] InvalidEmbedding),
}

/// Why a request has no answer.
#[derive(Clone, Debug, Error)]
pub enum Refusal {
    /// There is no room for it.
    #[error("the limit of {} is reached", .0.name())]
    Overloaded(Limit),
    /// One of its sources has no embedding, and it is of no use without.
    #[error("source {at} has no embedding")]
    Item {
        /// Which.
        at: usize,
        /// Why.
        #[source]
        error: ItemError,
    },
    /// The model gave nothing.
    #[error(transparent)]
    Model(EmbedError),
}

/// What a request needs of its sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// All of them: where one fails, none need be run.
    All,
    /// Each has its own outcome.
    Any,
}

impl Engine {
    /// Embeds sources, each with its own outcome. Equal uploads are embedded once.
    pub async fn embed(&self, on: &Deployment, sources: Vec<Source>) -> Result<Embedded, Refusal> {
        let (sources, positions) = distinct(sources);
        let Embedded { outcomes, timings } = if sources.len() <= FEW {
            self.portion(on, sources, Rank::Few, Need::Any).await?
        } else {
            self.in_portions(on, sources).await?
        };
        Ok(Embedded { outcomes: in_order(outcomes, &positions), timings })
    }

    /// Embeds a few sources that are of no use in part: where one fails, none is run, and it is told which.
    pub async fn embed_all(
        &self,
        on: &Deployment,
        sources: Vec<Source>,
    ) -> Result<(Vec<Embedding>, Timings), Refusal> {
        let (sources, positions) = distinct(sources);
        let Embedded { outcomes, timings } =
            self.portion(on, sources, Rank::Few, Need::All).await?;
        let outcomes = in_order(outcomes, &positions).into_iter().enumerate();
        let embeddings =
            outcomes.map(|(at, outcome)| outcome.map_err(|error| Refusal::Item { at, error }));
        Ok((embeddings.collect::<Result<_, _>>()?, timings))
    }

    /// A PNG of what the model reads of an upload.
    pub async fn show(
        &self,
        on: &Deployment,
        upload: Bytes,
    ) -> Result<(Vec<u8>, Timings), Refusal> {
        let item = |error: PictureError| Refusal::Item { at: 0, error: error.into() };
        let begun = Instant::now();
        let place = self.decoder.place(&upload, Rank::Few).map_err(item)?;
        let _admitted = self.decoder.admit(place, upload.len()).map_err(Refusal::Overloaded)?;
        let shown = self.decoder.shown(&on.tower, upload, place).await;
        let decode = begun.elapsed();
        self.observe(Event::Took(Stage::Decode, decode));
        Ok((shown.map_err(item)?, Timings { decode, ..Timings::default() }))
    }

    /// The same, in portions that wait for their turn and for room, however few sources there are.
    pub async fn embed_many(
        &self,
        on: &Deployment,
        sources: Vec<Source>,
    ) -> Result<Embedded, Refusal> {
        let (sources, positions) = distinct(sources);
        let Embedded { outcomes, timings } = self.in_portions(on, sources).await?;
        Ok(Embedded { outcomes: in_order(outcomes, &positions), timings })
    }

    async fn in_portions(
        &self,
        on: &Deployment,
        mut sources: Vec<Source>,
    ) -> Result<Embedded, Refusal> {
        let full = || Refusal::Overloaded(Limit::Bulk);
        let _images = self.bulk.try_enter(sources.len()).ok_or_else(full)?;
        let _request = self.bulk_requests.try_enter(1).ok_or_else(full)?;
        let size = on.batcher.full_house().clamp(PORTION.0, PORTION.1);
        let mut portions = Vec::with_capacity(sources.len().div_ceil(size));
        while !sources.is_empty() {
            let rest = sources.split_off(size.min(sources.len()));
            portions.push(std::mem::replace(&mut sources, rest));
        }
        let done = stream::iter(portions).map(|portion| async move {
            let _turn = self.portions.enter(1).await;
            self.portion(on, portion, Rank::Many, Need::Any).await
        });
        let none = Embedded { outcomes: Vec::new(), timings: Timings::default() };
        done.buffered(PORTIONS_OF_ONE)
            .try_fold(none, async |mut all, portion| {
                all.outcomes.extend(portion.outcomes);
                all.timings.add(portion.timings);
                Ok(all)
            })
            .await
    }
}

impl Timings {
    fn add(&mut self, portion: Self) {
        self.decode += portion.decode;
        self.queue += portion.queue;
        self.tower += portion.tower;
    }
}

/// The outcomes of all sources, of those of the distinct ones and where each stands among these.
fn in_order<T: Clone>(outcomes: Vec<T>, positions: &[usize]) -> Vec<T> {
    if outcomes.len() == positions.len() {
        return outcomes;
    }
    positions.iter().map(|position| outcomes[*position].clone()).collect()
}
