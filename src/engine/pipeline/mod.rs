//! The pipeline of a request's images: from sources to embeddings.
//!
//! A request with more images than a pair is split into portions, so that pairs can run between them. A portion has as
//! many images as keep the model busy for one run. It takes its places only when its turn comes. One portion is
//! decoded while the previous one is in the model.

mod changes;
mod explain;
mod portion;
mod source;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use siamese_core::model::{Choice, Face};
use siamese_core::preprocessing::DecodeError;
use siamese_core::score::{InvalidEmbedding, InvalidMap};
use thiserror::Error;
use tokio::time::Instant;

use super::admission::Limit;
use super::batch::{EmbedError, Priority};
use super::cache::EmbeddedImage;
use super::decode::Searches;
use super::deployment::Deployment;
use super::{Engine, ModelEvent, Stage};

pub use changes::Scene;
pub use explain::Explanation;
pub use siamese_core::changes::{Compared, NotCompared};
pub use source::Source;
use source::distinct;

/// The largest number of images that have interactive priority: a pair. They run as one portion.
const FEW: usize = 2;

/// The most portions of one request in progress.
const PORTIONS_OF_ONE: usize = 2;

/// The smallest and largest portion: each portion has a fixed cost, and takes places.
const PORTION: (usize, usize) = (8, 64);

/// The results of a request's sources.
#[derive(Debug)]
pub struct Embedded {
    /// One for each source, in order.
    pub outcomes: Vec<Result<EmbeddedImage, ItemError>>,
    /// The duration of each stage.
    pub timings: Timings,
}

/// The duration of each stage of a request. Portions overlap, so the sum may exceed the request's duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From sources to pixels, without the search.
    pub decode: Duration,
    /// The search for a face and its alignment; zero if no image was searched.
    pub search: Duration,
    /// In the queue before the model.
    pub queue: Duration,
    /// In the runs of the model.
    pub model: Duration,
    /// The number of images whose embeddings were in the cache. They take no time in any stage.
    pub cached: usize,
}

/// Why one source has no embedding.
#[derive(Clone, Debug, Error)]
pub enum ItemError {
    /// The upload can't be decoded.
    #[error(transparent)]
    Image(#[from] DecodeError),
    /// A stored embedding is from another model. Holds the digest of this one.
    #[error("the embedding is from another model; this model is {0}")]
    ModelMismatch(String),
    /// A stored embedding has another width.
    #[error("the embedding has {found} numbers, but this model's embeddings have {expected}")]
    Width {
        /// The numbers of the stored embedding.
        found: usize,
        /// The numbers of the model's embeddings.
        expected: usize,
    },
    /// A stored embedding does not have unit length, but the model's embeddings do.
    #[error("the embedding has length {0:.4}, but this model's embeddings have length 1")]
    Length(f64),
    /// The model's output is not an embedding.
    #[error("the model's output is not a valid embedding")]
    Output(#[source] InvalidEmbedding),
    /// The model's output is not a map.
    #[error("the model's output is not a valid map")]
    Map(#[from] InvalidMap),
}

/// Why a request has no result.
#[derive(Clone, Debug, Error)]
pub enum Refusal {
    /// A limit is reached.
    #[error("the limit of {} is reached", .0.name())]
    Overloaded(Limit),
    /// One source has no embedding, and the request needs all of them.
    #[error("source {at} has no embedding")]
    Item {
        /// The index of the source.
        at: usize,
        /// Why it has none.
        #[source]
        error: ItemError,
    },
    /// Two images can't be compared place by place.
    #[error(transparent)]
    NotCompared(NotCompared),
    /// The model gave no result.
    #[error(transparent)]
    Model(EmbedError),
}

/// Which sources a request needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// All: if one fails, none is run.
    All,
    /// Each has its own result.
    Any,
}

impl Engine {
    /// Embeds sources, each with its own result. Equal uploads are embedded once.
    pub async fn embed(
        &self,
        deployment: &Deployment,
        sources: Vec<Source>,
        choice: Choice,
    ) -> Result<Embedded, Refusal> {
        let (sources, positions) = distinct(sources);
        let Embedded { outcomes, timings } = if sources.len() <= FEW {
            self.portion(deployment, sources, choice, Priority::Interactive, Need::Any).await?
        } else {
            self.in_portions(deployment, sources, choice).await?
        };
        Ok(Embedded { outcomes: in_order(outcomes, &positions), timings })
    }

    /// Embeds a few sources that are needed together. If one fails, none is run, and the error names it.
    pub async fn embed_all(
        &self,
        deployment: &Deployment,
        sources: Vec<Source>,
        choice: Choice,
    ) -> Result<(Vec<EmbeddedImage>, Timings), Refusal> {
        let (sources, positions) = distinct(sources);
        let Embedded { outcomes, timings } =
            self.portion(deployment, sources, choice, Priority::Interactive, Need::All).await?;
        let outcomes = in_order(outcomes, &positions).into_iter().enumerate();
        let images =
            outcomes.map(|(at, outcome)| outcome.map_err(|error| Refusal::Item { at, error }));
        Ok((images.collect::<Result<_, _>>()?, timings))
    }

    /// A PNG of the model's input for an upload.
    pub async fn show(
        &self,
        deployment: &Deployment,
        upload: Bytes,
        choice: Choice,
    ) -> Result<(Vec<u8>, Timings), Refusal> {
        let item = |error: DecodeError| Refusal::Item { at: 0, error: error.into() };
        let begun = Instant::now();
        let executor =
            self.decoder.choose_executor(&upload, Priority::Interactive).map_err(item)?;
        let _admitted = self
            .decoder
            .admit(&deployment.model, executor, upload.len())
            .map_err(Refusal::Overloaded)?;
        let searches = Searches::default();
        let shown = self.decoder.png(&deployment.model, upload, executor, choice, &searches).await;
        let timings = self.prepared(deployment, begun, &searches);
        Ok((shown.map_err(item)?, timings))
    }

    /// All faces of an upload, the largest first, and the size of the upright image.
    pub async fn detect(
        &self,
        deployment: &Deployment,
        upload: Bytes,
    ) -> Result<((Vec<Face>, [u32; 2]), Timings), Refusal> {
        let item = |error: DecodeError| Refusal::Item { at: 0, error: error.into() };
        let begun = Instant::now();
        let executor =
            self.decoder.choose_executor(&upload, Priority::Interactive).map_err(item)?;
        let _admitted = self
            .decoder
            .admit(&deployment.model, executor, upload.len())
            .map_err(Refusal::Overloaded)?;
        let searches = Searches::default();
        let found = self.decoder.faces(&deployment.model, upload, executor, &searches).await;
        let timings = self.prepared(deployment, begun, &searches);
        let (photograph, faces) = found.map_err(item)?;
        Ok(((faces, photograph.full_size()), timings))
    }

    /// Embeds sources as [`Engine::embed`] does, but always in portions with bulk priority, however few they are.
    pub async fn embed_many(
        &self,
        deployment: &Deployment,
        sources: Vec<Source>,
    ) -> Result<Embedded, Refusal> {
        let (sources, positions) = distinct(sources);
        let choice = self.settings.image.faces;
        let Embedded { outcomes, timings } = self.in_portions(deployment, sources, choice).await?;
        Ok(Embedded { outcomes: in_order(outcomes, &positions), timings })
    }

    /// The timings of images whose decoding began at an instant, and has ended.
    fn prepared(&self, deployment: &Deployment, begun: Instant, searches: &Searches) -> Timings {
        let search = searches.longest();
        let decode = begun.elapsed().saturating_sub(search);
        self.observe(deployment, ModelEvent::Took(Stage::Decode, decode));
        if !search.is_zero() {
            self.observe(deployment, ModelEvent::Took(Stage::Search, search));
        }
        Timings { decode, search, ..Timings::default() }
    }

    async fn in_portions(
        &self,
        deployment: &Deployment,
        mut sources: Vec<Source>,
        choice: Choice,
    ) -> Result<Embedded, Refusal> {
        let full = || Refusal::Overloaded(Limit::Bulk);
        let _images = deployment.bulk.try_enter(sources.len()).ok_or_else(full)?;
        let _request = deployment.bulk_requests.try_enter(1).ok_or_else(full)?;
        let size = deployment.batcher.full_run().clamp(PORTION.0, PORTION.1);
        let mut portions = Vec::with_capacity(sources.len().div_ceil(size));
        while !sources.is_empty() {
            let rest = sources.split_off(size.min(sources.len()));
            portions.push(std::mem::replace(&mut sources, rest));
        }
        let done = stream::iter(portions).map(|portion| async move {
            let _turn = deployment.portions.enter(1).await;
            self.portion(deployment, portion, choice, Priority::Bulk, Need::Any).await
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
    /// Adds the timings of more work for the same request.
    pub fn add(&mut self, portion: Self) {
        self.decode += portion.decode;
        self.search += portion.search;
        self.queue += portion.queue;
        self.model += portion.model;
        self.cached += portion.cached;
    }
}

/// The results of all sources, from those of the distinct sources and the position of each source among these.
fn in_order<T: Clone>(outcomes: Vec<T>, positions: &[usize]) -> Vec<T> {
    if outcomes.len() == positions.len() {
        return outcomes;
    }
    positions.iter().map(|position| outcomes[*position].clone()).collect()
}
