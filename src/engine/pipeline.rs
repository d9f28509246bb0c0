//! The way of a request's pictures: from sources to embeddings.
//!
//! Each source is sorted by what it needs, let in where there is room, decoded, and taken through the tower.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use siamese_core::model::{Description, Length};
use siamese_core::picture::Pixels;
use siamese_core::score::Embedding;
use tokio::time::Instant;

use super::batch::{Places, Rank};
use super::cache::{Claim, Found, Key};
use super::decode::Place;
use super::deployment::Deployment;
use crate::http::error::{Cause, Fault, Problem};
use crate::http::metrics::Stage;
use crate::http::request::source::Source;
use crate::http::service::Service;
use crate::ops::blocking::{SMALL, compute};

/// How long a request waits for embeddings that others are making of the same pictures. Then it makes them itself: theirs
/// may wait behind a decode that was made to be slow.
const OTHERS: Duration = Duration::from_millis(100);

/// How far from 1 the length of a stored embedding may be where the tower's are of unit length: half precision, or four
/// digits, are no further off.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Something to be embedded: what to call it in a complaint, and what it is; or why it is nothing.
pub(crate) type Asked = Result<(String, Source), Problem>;

/// What is ready for the tower, in the order it was asked for.
pub(crate) struct Work<'a> {
    pictures: Vec<Result<Ready<'a>, Problem>>,
    /// Room for those that were decoded.
    places: Option<Places>,
    rank: Rank,
}

/// A source as far as it is known before any decode.
enum Sorted<'a> {
    /// Stored by the client, or known from before.
    Embedding(Embedding),
    Upload {
        upload: Bytes,
        /// To keep its embedding, where others may ask for it too.
        claim: Option<Claim<'a>>,
        /// Where it is to be decoded.
        place: Place,
    },
}

/// A source that is ready for the tower, or needs none.
enum Ready<'a> {
    /// To be embedded and, where others may ask for it too, kept.
    Pixels(Pixels, Option<Claim<'a>>),
    /// Stored by the client, or known from before.
    Embedding(Embedding),
}

/// What the answer for a picture waits for.
enum Waiting<'a> {
    /// The tower; its embedding goes to others too who asked for it.
    Tower(Option<Claim<'a>>),
    Nothing(Embedding),
}

/// Where a request's time went, so far as it has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// From sources to pixels.
    pub(crate) decode: Duration,
    /// Waiting for the tower.
    pub(crate) queue: Duration,
    /// The run it was part of.
    pub(crate) tower: Duration,
}

impl Spent {
    /// Adds what a portion took. Portions overlap, so that together they may seem to take longer than the request.
    pub(crate) fn add(&mut self, portion: Self) {
        self.decode += portion.decode;
        self.queue += portion.queue;
        self.tower += portion.tower;
    }
}

impl<'a> Work<'a> {
    /// The first problem, where there is any: what is of no use in part need not be run.
    pub(crate) fn whole(self) -> Result<Self, Problem> {
        let pictures = self.pictures.into_iter().collect::<Result<Vec<Ready<'a>>, _>>()?;
        Ok(Self { pictures: pictures.into_iter().map(Ok).collect(), ..self })
    }
}

impl Service {
    /// Decodes pictures side by side and checks stored embeddings.
    ///
    /// A picture that is known from before is not decoded, and none is where there is no room for all; a portion of
    /// many, which was let in, waits for room. Costly pictures take room with the tower only once they are decoded, so
    /// that they never hold what cheap ones need.
    pub(crate) async fn prepare<'a>(
        &self,
        on: &'a Deployment,
        asked: Vec<Asked>,
        rank: Rank,
        spent: &mut Spent,
    ) -> Result<Work<'a>, Problem> {
        let begun = Instant::now();
        let sources = self.sort(on, asked, rank).await;
        let uploads: Vec<(Place, usize)> = sources.iter().filter_map(upload).collect();
        let is_cheap = !uploads.iter().any(|(place, _)| matches!(place, Place::Worker(_)));
        let mut places = match rank {
            _ if uploads.is_empty() || !is_cheap => None,
            Rank::Few => Some(on.batcher.reserve(uploads.len()).map_err(|err| self.refusal(err))?),
            Rank::Many => Some(on.batcher.wait(uploads.len()).await),
        };
        let mut admitted = Vec::new();
        if rank == Rank::Few {
            for (place, bytes) in uploads {
                let outcome = self.decoder.admit(place, bytes);
                admitted.push(outcome.map_err(|full| self.overloaded(full))?);
            }
        }
        let ready = sources.into_iter().map(|source| self.make_ready(&on.tower, source, rank));
        let pictures = join_all(ready).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        let decoded =
            pictures.iter().filter(|ready| matches!(ready, Ok(Ready::Pixels(..)))).count();
        if places.is_none() && 0 < decoded {
            places = Some(on.batcher.wait(decoded).await);
        }
        drop(admitted);
        Ok(Work { pictures, places, rank })
    }

    /// Finds out of each source what it needs: nothing more, or a decode, and where.
    async fn sort<'a>(
        &self,
        on: &'a Deployment,
        asked: Vec<Asked>,
        rank: Rank,
    ) -> Vec<Result<(String, Sorted<'a>), Problem>> {
        let found = self.look_up(on, &asked).await;
        let sort = |(asked, found): (Asked, Option<Found<'a>>)| {
            let (field, source) = asked?;
            let sorted = match (source, found) {
                (Source::Embedding(embedding, digest), _) => {
                    check(&on.tower, embedding, digest).map(Sorted::Embedding)
                }
                (Source::Upload(_), Some(Found::Known(embedding))) => {
                    Ok(Sorted::Embedding(embedding))
                }
                (Source::Upload(upload), found) => {
                    let claim = match found {
                        Some(Found::Claimed(claim)) => Some(claim),
                        _ => None,
                    };
                    let place = self.decoder.place(&upload, rank).map_err(Fault::from);
                    place.map(|place| Sorted::Upload { upload, claim, place })
                }
            };
            sorted.map(|sorted| (field.clone(), sorted)).map_err(|fault| fault.of(field))
        };
        asked.into_iter().zip(found).map(sort).collect()
    }

    /// A PNG of what the tower reads of an upload. It is let into its lane as any other is.
    pub(crate) async fn show(&self, upload: Bytes, spent: &mut Spent) -> Result<Vec<u8>, Fault> {
        let begun = Instant::now();
        let place = self.decoder.place(&upload, Rank::Few)?;
        let admitted = self.decoder.admit(place, upload.len());
        let _admitted = admitted.map_err(|full| self.overloaded(full))?;
        let shown = self.decoder.shown(&self.tower(), upload, place).await;
        spent.decode = begun.elapsed();
        self.metrics.stage(Stage::Decode, spent.decode);
        shown
    }

    async fn make_ready<'a>(
        &self,
        tower: &Arc<Description>,
        source: Result<(String, Sorted<'a>), Problem>,
        rank: Rank,
    ) -> Result<Ready<'a>, Problem> {
        match source? {
            (_, Sorted::Embedding(embedding)) => Ok(Ready::Embedding(embedding)),
            (field, Sorted::Upload { upload, claim, place }) => {
                let pixels = self.decoder.pixels(tower, upload, place, rank).await;
                pixels.map(|pixels| Ready::Pixels(pixels, claim)).map_err(|fault| fault.of(field))
            }
        }
    }

    /// Asks the cache for each upload, in ascending order of keys, as claims want it.
    ///
    /// Of equal uploads only the first is asked for: the second would wait for the first's claim. What others are at for
    /// too long is not waited for.
    async fn look_up<'a>(&self, on: &'a Deployment, asked: &[Asked]) -> Vec<Option<Found<'a>>> {
        let mut found: Vec<Option<Found>> = asked.iter().map(|_| None).collect();
        let Some(cache) = &on.cache else { return found };
        let mut keys = Vec::with_capacity(asked.len());
        for (at, asked) in asked.iter().enumerate() {
            if let Ok((_, Source::Upload(upload))) = asked {
                keys.push((key(upload).await, at));
            }
        }
        keys.sort_unstable();
        keys.dedup_by_key(|(key, _)| *key);
        let patience = Instant::now() + OTHERS;
        for (key, at) in keys {
            let looked = tokio::time::timeout_at(patience, cache.look(key)).await.ok();
            self.metrics.lookup(matches!(looked, Some(Found::Known(_))));
            found[at] = looked;
        }
        found
    }

    /// Takes what is ready through the tower, all of it in one run; one outcome each, in order.
    pub(crate) async fn embed(
        &self,
        work: Work<'_>,
        spent: &mut Spent,
    ) -> Result<Vec<Result<Embedding, Problem>>, Problem> {
        let mut pixels = Vec::with_capacity(work.pictures.len());
        let waiting: Vec<Result<Waiting, Problem>> = work
            .pictures
            .into_iter()
            .map(|it| match it? {
                Ready::Pixels(picture, claim) => {
                    pixels.push(picture);
                    Ok(Waiting::Tower(claim))
                }
                Ready::Embedding(embedding) => Ok(Waiting::Nothing(embedding)),
            })
            .collect();
        let mut fresh = Vec::new().into_iter();
        if let Some(places) = work.places.filter(|_| !pixels.is_empty()) {
            let answer = places.embed(pixels, work.rank).await.map_err(|err| self.refusal(err))?;
            (spent.queue, spent.tower) = (answer.queue, answer.tower);
            self.metrics.stage(Stage::Queue, answer.queue);
            self.metrics.stage(Stage::Tower, answer.tower);
            fresh = answer.embedded.into_iter();
        }
        let outcomes = waiting.into_iter().map(|waiting| match waiting? {
            Waiting::Nothing(embedding) => Ok(embedding),
            Waiting::Tower(claim) => {
                let embedding = fresh
                    .next()
                    .expect("the tower answers for each picture")
                    .map_err(|err| Fault::Internal(Cause::Output(err)))?;
                if let Some(claim) = claim {
                    claim.fulfil(embedding.clone());
                }
                Ok(embedding)
            }
        });
        Ok(outcomes.collect())
    }
}

/// Checks that a stored embedding can be one of this tower's.
fn check(
    tower: &Description,
    embedding: Embedding,
    digest: Option<String>,
) -> Result<Embedding, Fault> {
    let Description { digest: ours, width, .. } = tower;
    if digest.is_some_and(|it| it != *ours) {
        return Err(Fault::ModelMismatch(ours.clone()));
    }
    if embedding.width() != *width {
        let found = embedding.width();
        let why = format!("the embedding has {found} numbers, this tower's have {width}");
        return Err(Fault::EmbeddingInvalid(why));
    }
    let length = embedding.length();
    if tower.card.length == Length::Unit && UNIT_TOLERANCE < (length - 1.0).abs() {
        let why =
            format!("the length of this tower's embeddings is 1, and this one's is {length:.4}");
        return Err(Fault::EmbeddingInvalid(why));
    }
    Ok(embedding)
}

/// Where a source is decoded, where it is, and how many bytes it has.
fn upload(source: &Result<(String, Sorted), Problem>) -> Option<(Place, usize)> {
    match source {
        Ok((_, Sorted::Upload { place, upload, .. })) => Some((*place, upload.len())),
        _ => None,
    }
}

/// The key of an upload.
async fn key(upload: &Bytes) -> Key {
    if upload.len() <= SMALL {
        return Key::of(upload);
    }
    let upload = upload.clone();
    compute(move || Key::of(&upload)).await
}
