//! From two uploads to the distances of their cells.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use siamese_core::changes::{Align, Compared, Grid, Ignored, Rectangle, Views};
use siamese_core::preprocessing::{DecodeError, Estimate, Photograph};
use siamese_core::score::Map;
use tokio::time::Instant;

use super::{PORTIONS_OF_ONE, Refusal, Timings};
use crate::engine::admission::Limit;
use crate::engine::batch::Priority;
use crate::engine::deployment::Deployment;
use crate::engine::{Engine, ModelEvent, Stage};
use crate::ops::blocking::compute;

/// The pairs of tiles that run together: as few as fill a batch of a few images, because each tile takes memory.
const TILES_OF_PORTION: usize = 4;

/// Two images to compare, and how.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The first image.
    pub before: Bytes,
    /// The second image. All places are in its pixels.
    pub after: Bytes,
    /// An image whose light pixels are not compared. It is stretched to the size of the second image.
    pub ignored_image: Option<Bytes>,
    /// Rectangles that are not compared, in pixels of the second image.
    pub ignored: Vec<Rectangle>,
    /// How the first image is brought onto the second.
    pub align: Align,
    /// The side of a cell, in pixels of the second image. `None` chooses the smallest that the model sees in one pixel for
    /// each pixel of the image.
    pub cell: Option<f64>,
}

/// Whether an image has more than a megapixel. One of an unknown format is refused at once.
fn is_large(upload: &[u8]) -> bool {
    const MEGAPIXEL: u64 = 1_000_000;
    Estimate::of(upload).is_some_and(|estimate| MEGAPIXEL < estimate.pixels)
}

impl Engine {
    /// Compares two images place by place.
    pub async fn changes(
        &self,
        deployment: &Deployment,
        scene: Scene,
    ) -> Result<(Compared, Timings), Refusal> {
        let full = || Refusal::Overloaded(Limit::Bulk);
        let _request = deployment.bulk_requests.try_enter(1).ok_or_else(full)?;
        let is_large = [&scene.before, &scene.after].into_iter().any(|upload| is_large(upload));
        // Photographs that wait for their alignment take memory, so the request waits before they are decoded.
        let _scene = deployment.scenes[usize::from(is_large)].enter(1).await;
        let begun = Instant::now();
        let Scene { before, after, ignored_image, ignored, align, cell } = scene;
        let ((before, after), image) = try_join(
            try_join(self.photograph(deployment, 0, before), self.photograph(deployment, 1, after)),
            async {
                match ignored_image {
                    Some(image) => self.photograph(deployment, 2, image).await.map(Some),
                    None => Ok(None),
                }
            },
        )
        .await?;
        let model = deployment.model.clone();
        let prepare = move || {
            let grid = Grid::for_model(&model, &after, cell)?;
            let ignored = Ignored { rectangles: ignored, image };
            let views = Views::of([before, after], align, &ignored)?;
            let distances = views.distances(&grid)?;
            Ok((views, grid, distances))
        };
        let (views, grid, mut distances) =
            self.decoder.in_turn(&deployment.model, prepare).await.map_err(Refusal::NotCompared)?;
        let mut timings = Timings { decode: begun.elapsed(), ..Timings::default() };
        self.observe(deployment, ModelEvent::Took(Stage::Decode, timings.decode));

        let _images = deployment.bulk.try_enter(2 * grid.tiles()).ok_or_else(full)?;
        let views = Arc::new(views);
        let tiles: Vec<usize> = (0..grid.tiles()).collect();
        let portions = tiles.chunks(TILES_OF_PORTION).map(<[usize]>::to_vec);
        let mut maps = stream::iter(portions)
            .map(|tiles| {
                let views = views.clone();
                async move {
                    let _turn = deployment.portions.enter(1).await;
                    self.maps(deployment, grid, views, tiles).await
                }
            })
            .buffered(PORTIONS_OF_ONE);
        while let Some((tiles, maps, took)) = maps.try_next().await? {
            timings.add(took);
            let (before, after) = maps.split_at(tiles.len());
            for ((tile, before), after) in tiles.iter().zip(before).zip(after) {
                distances.add(&grid, *tile, [before, after]);
            }
        }
        drop(maps);
        let views = Arc::unwrap_or_clone(views);
        Ok((views.compared(distances), timings))
    }

    /// Decodes one of the images of a request.
    async fn photograph(
        &self,
        deployment: &Deployment,
        at: usize,
        upload: Bytes,
    ) -> Result<Photograph, Refusal> {
        let item = |error: DecodeError| Refusal::Item { at, error: error.into() };
        let executor =
            self.decoder.choose_executor(&upload, Priority::Interactive).map_err(item)?;
        let _admitted = self
            .decoder
            .admit(&deployment.model, executor, upload.len())
            .map_err(Refusal::Overloaded)?;
        self.decoder.photograph(&deployment.model, upload, executor).await.map_err(item)
    }

    /// The maps of some tiles: those of the first image, then those of the second.
    async fn maps(
        &self,
        deployment: &Deployment,
        grid: Grid,
        views: Arc<Views>,
        tiles: Vec<usize>,
    ) -> Result<(Vec<usize>, Vec<Map>, Timings), Refusal> {
        let reservation = deployment.batcher.wait(2 * tiles.len()).await;
        let model = deployment.model.clone();
        let (tiles, pixels) = compute(move || {
            let preprocessing = &model.card.preprocessing;
            let pixels = views.images().iter().flat_map(|image| {
                tiles.iter().map(|tile| grid.pixels(image, *tile, preprocessing))
            });
            let pixels = pixels.collect();
            (tiles, pixels)
        })
        .await;
        let output = reservation.map(pixels, Priority::Bulk).await.map_err(Refusal::Model)?;
        self.observe(deployment, ModelEvent::Took(Stage::Queue, output.queue));
        self.observe(deployment, ModelEvent::Took(Stage::Model, output.model));
        let maps = output.outputs.into_iter().collect::<Result<Vec<_>, _>>();
        let maps = maps.map_err(|error| Refusal::Item { at: 0, error: error.into() })?;
        let (queue, model) = (output.queue, output.model);
        Ok((tiles, maps, Timings { queue, model, ..Timings::default() }))
    }
}
