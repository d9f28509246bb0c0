//! Runs one portion: a few images of a request together.
//!
//! Each source is classified by the work it needs, admitted, decoded and run through the model.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use siamese_core::model::{Choice, Face, Input};
use siamese_core::preprocessing::Pixels;
use tokio::time::{Instant, timeout_at};

use super::source::check;
use super::{Embedded, ItemError, Need, Refusal, Source, Timings};
use crate::engine::batch::{Priority, Reservation};
use crate::engine::cache::{Claim, EmbeddedImage, Found, Key};
use crate::engine::decode::{Admitted, Executor, Searches};
use crate::engine::deployment::Deployment;
use crate::engine::{Engine, ModelEvent, Stage};
use crate::ops::blocking::{SMALL, compute};

/// How long a request waits for embeddings that other requests compute of the same images. Then it computes them
/// itself, because the others may wait for a decode that is slow on purpose.
const MAX_CLAIM_WAIT: Duration = Duration::from_millis(100);

/// The state of a source in the pipeline.
enum SourceState<'a> {
    /// It must be decoded.
    Upload {
        upload: Bytes,
        /// The place of the decode.
        executor: Executor,
        /// The right to store the embedding in the cache.
        claim: Option<Claim<'a>>,
    },
    /// It must be run.
    Pixels(Input, Option<Claim<'a>>),
    /// It is in the model.
    Running(Option<Face>, Option<Vec<f32>>, Option<Claim<'a>>),
    /// It is finished: embedded, stored by the client, found in the cache, or failed.
    Done(Result<EmbeddedImage, ItemError>),
}

/// The admission of a portion's uploads, before they are decoded.
struct Admission {
    /// The places with the model. There is no reservation yet if an upload is costly: costly uploads must not hold places
    /// that cheap ones need.
    reservation: Option<Reservation>,
    lanes: Vec<Admitted>,
}

impl Engine {
    /// Runs sources through the model, all in one run. No two are equal uploads.
    pub(super) async fn portion(
        &self,
        deployment: &Deployment,
        sources: Vec<Source>,
        choice: Choice,
        priority: Priority,
        need: Need,
    ) -> Result<Embedded, Refusal> {
        let begun = Instant::now();
        let found = self.look_up(deployment, &sources, choice).await;
        let cached = found.iter().filter(|found| matches!(found, Some(Found::Known(_)))).count();
        let states = self.sort(deployment, sources, found, priority);
        let Admission { mut reservation, lanes } =
            self.admit(deployment, &states, priority).await?;
        let searches = Searches::default();
        let decoded = states
            .into_iter()
            .map(|state| self.decode(deployment, state, choice, priority, &searches));
        let states = join_all(decoded).await;
        let timings = Timings { cached, ..self.prepared(deployment, begun, &searches) };
        if need == Need::All {
            first_failure(&states)?;
        }
        let decoded =
            states.iter().filter(|state| matches!(state, SourceState::Pixels(..))).count();
        if decoded == 0 {
            reservation = None;
        } else if reservation.is_none() {
            reservation = Some(deployment.batcher.wait(decoded).await);
        }
        drop(lanes);
        match reservation {
            Some(reservation) => self.run(deployment, reservation, states, priority, timings).await,
            None => Ok(Embedded {
                outcomes: states.into_iter().map(SourceState::outcome).collect(),
                timings,
            }),
        }
    }

    /// Determines the work that each source needs: none, or a decode and its place.
    fn sort<'a>(
        &self,
        deployment: &'a Deployment,
        sources: Vec<Source>,
        found: Vec<Option<Found<'a>>>,
        priority: Priority,
    ) -> Vec<SourceState<'a>> {
        let sort = |(source, found): (Source, Option<Found<'a>>)| {
            let upload = match source {
                Source::Embedding(embedding, digest) => {
                    let checked = check(&deployment.model, embedding, digest);
                    let image =
                        |embedding| EmbeddedImage { embedding, face: None, familiarity: None };
                    return SourceState::Done(checked.map(image));
                }
                Source::Pixels(pixels) => {
                    let input = Input { pixels, face: None, statistics: None };
                    return SourceState::Pixels(input, None);
                }
                Source::Upload(upload) => upload,
            };
            let claim = match found {
                Some(Found::Known(image)) => {
                    self.see(deployment, &image);
                    return SourceState::Done(Ok(image));
                }
                Some(Found::Claimed(claim)) => Some(claim),
                None => None,
            };
            match self.decoder.choose_executor(&upload, priority) {
                Ok(executor) => SourceState::Upload { upload, executor, claim },
                Err(err) => SourceState::Done(Err(err.into())),
            }
        };
        sources.into_iter().zip(found).map(sort).collect()
    }

    /// Looks each upload up in the cache, in ascending order of keys, as claims require. Stops waiting for others'
    /// claims after [`MAX_CLAIM_WAIT`].
    async fn look_up<'a>(
        &self,
        deployment: &'a Deployment,
        sources: &[Source],
        choice: Choice,
    ) -> Vec<Option<Found<'a>>> {
        let mut found: Vec<Option<Found>> = sources.iter().map(|_| None).collect();
        let Some(cache) = &deployment.cache else { return found };
        let mut keys = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter().enumerate() {
            if let Source::Upload(upload) = source {
                keys.push((key(upload, choice).await, at));
            }
        }
        keys.sort_unstable();
        let deadline = Instant::now() + MAX_CLAIM_WAIT;
        for (key, at) in keys {
            let lookup = timeout_at(deadline, cache.look(key)).await.ok();
            let is_known = matches!(lookup, Some(Found::Known(_)));
            self.observe(deployment, ModelEvent::LookedUp { is_known });
            found[at] = lookup;
        }
        found
    }

    /// Admits images or refuses all of them, before any is decoded. A bulk portion was admitted with its request, so
    /// it waits.
    async fn admit(
        &self,
        deployment: &Deployment,
        states: &[SourceState<'_>],
        priority: Priority,
    ) -> Result<Admission, Refusal> {
        let uploads = states.iter().filter_map(|state| match state {
            SourceState::Upload { upload, executor, .. } => Some((*executor, upload.len())),
            _ => None,
        });
        let uploads: Vec<(Executor, usize)> = uploads.collect();
        let is_ready = |state: &&SourceState| matches!(state, SourceState::Pixels(..));
        let images = uploads.len() + states.iter().filter(is_ready).count();
        let is_cheap = !uploads.iter().any(|(executor, _)| matches!(executor, Executor::Worker(_)));
        let reservation = match priority {
            _ if images == 0 || !is_cheap => None,
            Priority::Interactive => {
                Some(deployment.batcher.reserve(images).map_err(Refusal::Overloaded)?)
            }
            Priority::Bulk => Some(deployment.batcher.wait(images).await),
        };
        let mut lanes = Vec::new();
        if priority == Priority::Interactive {
            for (executor, bytes) in uploads {
                lanes.extend(
                    self.decoder
                        .admit(&deployment.model, executor, bytes)
                        .map_err(Refusal::Overloaded)?,
                );
            }
        }
        Ok(Admission { reservation, lanes })
    }

    async fn decode<'a>(
        &self,
        deployment: &Deployment,
        state: SourceState<'a>,
        choice: Choice,
        priority: Priority,
        searches: &Searches,
    ) -> SourceState<'a> {
        let SourceState::Upload { upload, executor, claim } = state else { return state };
        let model = &deployment.model;
        match self.decoder.pixels(model, upload, executor, priority, choice, searches).await {
            Ok(input) => SourceState::Pixels(input, claim),
            Err(err) => SourceState::Done(Err(err.into())),
        }
    }

    async fn run(
        &self,
        deployment: &Deployment,
        reservation: Reservation,
        mut states: Vec<SourceState<'_>>,
        priority: Priority,
        timings: Timings,
    ) -> Result<Embedded, Refusal> {
        let pixels = states.iter_mut().filter_map(SourceState::begin_run).collect();
        let output = reservation.embed(pixels, priority).await.map_err(Refusal::Model)?;
        self.observe(deployment, ModelEvent::Took(Stage::Queue, output.queue));
        self.observe(deployment, ModelEvent::Took(Stage::Model, output.model));
        let mut embedded = output.outputs.into_iter();
        let outcomes = states.into_iter().map(|state| match state {
            SourceState::Running(face, statistics, claim) => {
                let embedding = embedded.next().expect("the model returns a result for each image");
                let embedding = embedding.map_err(ItemError::Output)?;
                let familiarity = statistics
                    .and_then(|statistics| deployment.familiarity(&embedding, &statistics));
                let image = EmbeddedImage { embedding, face, familiarity };
                self.see(deployment, &image);
                if let Some(claim) = claim {
                    claim.fulfil(image.clone());
                }
                Ok(image)
            }
            state => state.outcome(),
        });
        let outcomes = outcomes.collect();
        Ok(Embedded {
            outcomes,
            timings: Timings { queue: output.queue, model: output.model, ..timings },
        })
    }
}

impl Engine {
    /// Reports an image whose familiarity is known.
    fn see(&self, deployment: &Deployment, image: &EmbeddedImage) {
        if let Some(familiarity) = image.familiarity {
            self.observe(
                deployment,
                ModelEvent::Seen { digest: &deployment.model.digest, familiarity },
            );
        }
    }
}

impl SourceState<'_> {
    /// Takes its pixels for the model, if it has any.
    fn begin_run(&mut self) -> Option<Pixels> {
        let Self::Pixels(..) = self else { return None };
        let Self::Pixels(Input { pixels, face, statistics }, claim) =
            std::mem::replace(self, Self::Running(None, None, None))
        else {
            unreachable!("the match above checked it");
        };
        *self = Self::Running(face, statistics, claim);
        Some(pixels)
    }

    fn outcome(self) -> Result<EmbeddedImage, ItemError> {
        match self {
            Self::Done(outcome) => outcome,
            _ => unreachable!("without a run, all sources are finished"),
        }
    }
}

fn first_failure(states: &[SourceState]) -> Result<(), Refusal> {
    for (at, state) in states.iter().enumerate() {
        if let SourceState::Done(Err(error)) = state {
            return Err(Refusal::Item { at, error: error.clone() });
        }
    }
    Ok(())
}

/// The cache key of an upload.
async fn key(upload: &Bytes, choice: Choice) -> Key {
    if upload.len() <= SMALL {
        return Key::of(upload, choice);
    }
    let upload = upload.clone();
    compute(move || Key::of(&upload, choice)).await
}
