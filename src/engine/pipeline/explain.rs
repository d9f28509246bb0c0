//! Where two images agree and where they differ, for the model.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join;
use serde::Serialize;
use siamese_core::model::{Choice, Length};
use siamese_core::preprocessing::{DecodeError, Pixels};
use siamese_core::score::{Embedding, Map};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{ItemError, Refusal, Timings};
use crate::engine::admission::Limit;
use crate::engine::batch::Priority;
use crate::engine::decode::Searches;
use crate::engine::deployment::Deployment;
use crate::engine::{Engine, ModelEvent, Stage};

/// The rows and columns in which a model without a map is explained. Each cell of both images takes a run.
const GRID: [usize; 2] = [8, 8];

/// The most images that run together.
const PORTION: usize = 16;

/// Where two images agree and where they differ, for the model.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// How the values were computed.
    pub method: Method,
    /// How many images the model ran for it.
    pub runs: usize,
    /// The cells of the first image, as the model reads it: `/pixels` shows that.
    pub a: Agreement,
    /// The cells of the second image.
    pub b: Agreement,
    /// Whether the values mean anything.
    pub deletion: Deletion,
}

/// How the values of an explanation were computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplanationMethod)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The exact parts of the places in the similarity, which is the cosine of the two embeddings: they add up to it. For a
    /// model with a map.
    Decomposition,
    /// The distance with the cell hidden, less the distance. For any other model.
    Occlusion,
}

/// The cells of an image. A high value speaks for `same`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Agreement {
    /// Cells from top to bottom.
    pub rows: usize,
    /// Cells from left to right.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f64>,
}

/// A test of an explanation: the distance after cells of both images are hidden. If the values mean something, hiding the
/// highest ones increases the distance more than hiding the lowest ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Deletion {
    /// With all cells.
    pub distance: f64,
    /// Without the fifth of the cells with the highest values.
    pub without_highest: f64,
    /// Without the fifth of the cells with the lowest values.
    pub without_lowest: f64,
}

impl Engine {
    /// Explains the distance of two uploads.
    pub async fn explain(
        &self,
        deployment: &Deployment,
        [a, b]: [Bytes; 2],
        choice: Choice,
    ) -> Result<(Explanation, Timings), Refusal> {
        let full = || Refusal::Overloaded(Limit::Bulk);
        let model = &deployment.model;
        let shape = model.card.preprocessing.shape();
        let has_parts = model.map.is_some() && model.card.length == Length::Unit;
        let [rows, columns] = model.map.filter(|_| has_parts).unwrap_or(GRID);
        // Both images, then what tells their cells apart, then the test.
        let runs = 2 + if has_parts { 2 } else { 2 * rows * columns } + 4;
        let _request = deployment.bulk_requests.try_enter(1).ok_or_else(full)?;
        let _images = deployment.bulk.try_enter(runs).ok_or_else(full)?;
        let begun = Instant::now();
        let searches = Searches::default();
        let (a, b) = try_join(
            self.input(deployment, 0, a, choice, &searches),
            self.input(deployment, 1, b, choice, &searches),
        )
        .await?;
        let mut timings = self.prepared(deployment, begun, &searches);
        let pair = [a, b];
        let embeddings = self.embeddings(deployment, pair.to_vec(), &mut timings).await?;
        let distance = embeddings[0].distance(&embeddings[1]).get();
        let values = if has_parts {
            let maps = self.maps_of(deployment, pair.to_vec(), &mut timings).await?;
            [maps[0].contributions(&embeddings[1]), maps[1].contributions(&embeddings[0])]
        } else {
            self.occlusions(deployment, &pair, &embeddings, &mut timings).await?
        };
        let hidden = [true, false].map(|highest| {
            let hidden = values.each_ref().map(|values| a_fifth(values, highest));
            [0, 1].map(|at| pair[at].hidden(shape, [rows, columns], &hidden[at]))
        });
        let tested = self
            .embeddings(deployment, hidden.into_iter().flatten().collect(), &mut timings)
            .await?;
        let deletion = Deletion {
            distance,
            without_highest: tested[0].distance(&tested[1]).get(),
            without_lowest: tested[2].distance(&tested[3]).get(),
        };
        let [a, b] = values.map(|values| Agreement { rows, columns, values });
        let method = if has_parts { Method::Decomposition } else { Method::Occlusion };
        Ok((Explanation { method, runs, a, b, deletion }, timings))
    }

    /// The model's input for one of two uploads.
    async fn input(
        &self,
        deployment: &Deployment,
        at: usize,
        upload: Bytes,
        choice: Choice,
        searches: &Searches,
    ) -> Result<Pixels, Refusal> {
        let item = |error: DecodeError| Refusal::Item { at, error: error.into() };
        let priority = Priority::Interactive;
        let executor = self.decoder.choose_executor(&upload, priority).map_err(item)?;
        let model = &deployment.model;
        let _admitted =
            self.decoder.admit(model, executor, upload.len()).map_err(Refusal::Overloaded)?;
        let input = self.decoder.pixels(model, upload, executor, priority, choice, searches).await;
        Ok(input.map_err(item)?.pixels)
    }

    /// For both images, how much farther apart they are with each cell hidden.
    async fn occlusions(
        &self,
        deployment: &Deployment,
        pair: &[Pixels; 2],
        embeddings: &[Embedding],
        timings: &mut Timings,
    ) -> Result<[Vec<f64>; 2], Refusal> {
        let shape = deployment.model.card.preprocessing.shape();
        let cells = GRID[0] * GRID[1];
        let distance = embeddings[0].distance(&embeddings[1]).get();
        let mut values = [Vec::with_capacity(cells), Vec::with_capacity(cells)];
        for at in [0, 1] {
            let all: Vec<usize> = (0..cells).collect();
            for portion in all.chunks(PORTION) {
                let hidden = portion.iter().map(|cell| {
                    let is_hidden: Vec<bool> = (0..cells).map(|other| other == *cell).collect();
                    pair[at].hidden(shape, GRID, &is_hidden)
                });
                let hidden = hidden.collect();
                let embedded = self.embeddings(deployment, hidden, timings).await?;
                let other = &embeddings[1 - at];
                values[at].extend(embedded.iter().map(|one| one.distance(other).get() - distance));
            }
        }
        Ok(values)
    }

    async fn embeddings(
        &self,
        deployment: &Deployment,
        pixels: Vec<Pixels>,
        timings: &mut Timings,
    ) -> Result<Vec<Embedding>, Refusal> {
        let _turn = deployment.portions.enter(1).await;
        let reservation = deployment.batcher.wait(pixels.len()).await;
        let output = reservation.embed(pixels, Priority::Bulk).await.map_err(Refusal::Model)?;
        self.ran(deployment, output.queue, output.model, timings);
        let embedded = output.outputs.into_iter().collect::<Result<Vec<_>, _>>();
        embedded.map_err(|error| Refusal::Item { at: 0, error: ItemError::Output(error) })
    }

    async fn maps_of(
        &self,
        deployment: &Deployment,
        pixels: Vec<Pixels>,
        timings: &mut Timings,
    ) -> Result<Vec<Map>, Refusal> {
        let _turn = deployment.portions.enter(1).await;
        let reservation = deployment.batcher.wait(pixels.len()).await;
        let output = reservation.map(pixels, Priority::Bulk).await.map_err(Refusal::Model)?;
        self.ran(deployment, output.queue, output.model, timings);
        let maps = output.outputs.into_iter().collect::<Result<Vec<_>, _>>();
        maps.map_err(|error| Refusal::Item { at: 0, error: error.into() })
    }

    fn ran(
        &self,
        deployment: &Deployment,
        queue: Duration,
        model: Duration,
        timings: &mut Timings,
    ) {
        self.observe(deployment, ModelEvent::Took(Stage::Queue, queue));
        self.observe(deployment, ModelEvent::Took(Stage::Model, model));
        timings.add(Timings { queue, model, ..Timings::default() });
    }
}

/// Which cells are the fifth with the highest or the lowest values.
fn a_fifth(values: &[f64], highest: bool) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    if highest {
        order.reverse();
    }
    let mut is_chosen = vec![false; values.len()];
    for index in order.into_iter().take(values.len().div_ceil(5)) {
        is_chosen[index] = true;
    }
    is_chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_chosen_from_either_end() {
        let values = [0.5, 3.0, -1.0, 2.0, 0.0];
        assert_eq!(a_fifth(&values, true), [false, true, false, false, false]);
        assert_eq!(a_fifth(&values, false), [false, false, true, false, false]);
        assert_eq!(a_fifth(&[1.0], true), [true]);
    }
}
