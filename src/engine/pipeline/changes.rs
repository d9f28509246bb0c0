//! From two uploads to the distances of their cells.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use siamese_core::changes::{
    Align, Distances, Grid, Layout, Light, Mask, Placement, Rectangle, Region, align, overlay,
};
use siamese_core::model::Description;
use siamese_core::preprocessing::{DecodeError, Photograph};
use siamese_core::score::{Map, Threshold};
use thiserror::Error;
use tokio::time::Instant;

use super::{PORTIONS_OF_ONE, Refusal, Timings};
use crate::engine::admission::Limit;
use crate::engine::batch::Priority;
use crate::engine::deployment::Deployment;
use crate::engine::{Engine, Event, Stage};
use crate::ops::blocking::compute;

/// The most tiles of an image: more would occupy the model for minutes.
const MAX_TILES: usize = 1_024;

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

/// Two images of one size, and what differs between them.
pub struct Compared {
    /// The first image on the pixels of the second, and the second image.
    images: [Photograph; 2],
    /// How many pixels of the second image one of its photograph's is, along both sides.
    enlarged: [f64; 2],
    /// The size of the second image: columns and rows.
    pub size: [u32; 2],
    /// How the first image was brought onto the second, in pixels of both.
    pub alignment: Placement,
    /// How the light of the first image was changed to that of the second.
    pub light: Light,
    /// The distances of the cells.
    pub distances: Distances,
}

impl Compared {
    /// The regions whose cells are farther apart than a threshold, in pixels of the second image, the most different first.
    pub fn regions(&self, threshold: Threshold) -> Vec<Region> {
        let regions = self.distances.regions(threshold, self.images.each_ref()).into_iter();
        regions.map(|region| region.enlarged(self.enlarged)).collect()
    }

    /// The form of the map, in pixels of the second image.
    pub fn layout(&self) -> Layout {
        let layout = self.distances.layout();
        Layout { cell: layout.cell * self.enlarged[0], ..layout }
    }

    /// A PNG of the second image with the distances as colours, at most 2,080 pixels a side.
    pub fn heat_map(&self, threshold: Threshold) -> Vec<u8> {
        let regions = self.distances.regions(threshold, self.images.each_ref());
        self.distances.heat_map(&self.images[1], threshold, &regions)
    }

    /// A PNG that is white where cells are changed, at most 2,080 pixels a side.
    pub fn mask(&self, threshold: Threshold) -> Vec<u8> {
        self.distances.mask(&self.images[1], threshold)
    }
}

/// Why two images can't be compared place by place.
#[derive(Clone, Debug, Error)]
pub enum NotCompared {
    /// The images can't be aligned.
    #[error(
        "the images could not be aligned (confidence {confidence:.2}): they may show different scenes; send images of one \
         scene, or set align=none"
    )]
    NotAligned {
        /// How certain the best alignment is, 0 to 1.
        confidence: f64,
    },
    /// The cells are smaller than the model can see, or too many.
    #[error("cells must be at least {least:.0} pixels wide for these images and this model")]
    CellTooSmall {
        /// The least side of a cell.
        least: f64,
    },
    /// All pixels are ignored, or the images do not overlap.
    #[error("nothing is left to compare: all of the image is ignored, or outside the other image")]
    Nothing,
}

impl Engine {
    /// Compares two images place by place.
    pub async fn changes(
        &self,
        deployment: &Deployment,
        scene: Scene,
    ) -> Result<(Compared, Timings), Refusal> {
        let full = || Refusal::Overloaded(Limit::Bulk);
        let _request = self.bulk_requests.try_enter(1).ok_or_else(full)?;
        let begun = Instant::now();
        let Scene { before, after, ignored_image, ignored, align, cell } = scene;
        let ((before, after), ignored_image) =
            try_join(try_join(self.photograph(0, before), self.photograph(1, after)), async {
                match ignored_image {
                    Some(image) => self.photograph(2, image).await.map(Some),
                    None => Ok(None),
                }
            })
            .await?;
        let model = deployment.model.clone();
        let prepare = move || {
            let grid = grid(&model, &after, cell)?;
            let views = Views::of([before, after], align, &ignored, ignored_image.as_ref())?;
            Ok((views, grid))
        };
        let (views, grid) = self.decoder.in_turn(prepare).await.map_err(Refusal::NotCompared)?;
        let mut timings = Timings { decode: begun.elapsed(), ..Timings::default() };
        self.observe(Event::Took(Stage::Decode, timings.decode));

        let _images = self.bulk.try_enter(2 * grid.tiles()).ok_or_else(full)?;
        let Views { images, enlarged, size, alignment, light, mask } = views;
        let images = Arc::new(images);
        let is_compared = mask.compared(&grid);
        if !is_compared.contains(&true) {
            return Err(Refusal::NotCompared(NotCompared::Nothing));
        }
        let mut distances = Distances::new(&grid, is_compared);
        let tiles: Vec<usize> = (0..grid.tiles()).collect();
        let portions = tiles.chunks(TILES_OF_PORTION).map(<[usize]>::to_vec);
        let mut maps = stream::iter(portions)
            .map(|tiles| {
                let images = images.clone();
                async move {
                    let _turn = self.portions.enter(1).await;
                    self.maps(deployment, grid, images, tiles).await
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
        let images = Arc::unwrap_or_clone(images);
        let distances = distances.finished();
        Ok((Compared { images, enlarged, size, alignment, light, distances }, timings))
    }

    /// Decodes one of the images of a request.
    async fn photograph(&self, at: usize, upload: Bytes) -> Result<Photograph, Refusal> {
        let item = |error: DecodeError| Refusal::Item { at, error: error.into() };
        let executor =
            self.decoder.choose_executor(&upload, Priority::Interactive).map_err(item)?;
        let _admitted = self.decoder.admit(executor, upload.len()).map_err(Refusal::Overloaded)?;
        self.decoder.photograph(upload, executor).await.map_err(item)
    }

    /// The maps of some tiles: those of the first image, then those of the second.
    async fn maps(
        &self,
        deployment: &Deployment,
        grid: Grid,
        images: Arc<[Photograph; 2]>,
        tiles: Vec<usize>,
    ) -> Result<(Vec<usize>, Vec<Map>, Timings), Refusal> {
        let reservation = deployment.batcher.wait(2 * tiles.len()).await;
        let model = deployment.model.clone();
        let (tiles, pixels) = compute(move || {
            let preprocessing = &model.card.preprocessing;
            let pixels = images.iter().flat_map(|image| {
                tiles.iter().map(|tile| grid.pixels(image, *tile, preprocessing))
            });
            let pixels = pixels.collect();
            (tiles, pixels)
        })
        .await;
        let output = reservation.map(pixels, Priority::Bulk).await.map_err(Refusal::Model)?;
        self.observe(Event::Took(Stage::Queue, output.queue));
        self.observe(Event::Took(Stage::Model, output.model));
        let maps = output.outputs.into_iter().collect::<Result<Vec<_>, _>>();
        let maps = maps.map_err(|error| Refusal::Item { at: 0, error: error.into() })?;
        let (queue, model) = (output.queue, output.model);
        Ok((tiles, maps, Timings { queue, model, ..Timings::default() }))
    }
}

/// Two images of one size, ready for the model.
struct Views {
    images: [Photograph; 2],
    enlarged: [f64; 2],
    size: [u32; 2],
    alignment: Placement,
    light: Light,
    mask: Mask,
}

impl Views {
    fn of(
        [before, after]: [Photograph; 2],
        how: Align,
        ignored: &[Rectangle],
        ignored_image: Option<&Photograph>,
    ) -> Result<Self, NotCompared> {
        let factors = [&before, &after].map(|image| {
            let [size, full] = [image.size(), image.full_size()].map(|size| size.map(f64::from));
            [full[0] / size[0], full[1] / size[1]]
        });
        let alignment = align(&before, &after, how)
            .map_err(|err| NotCompared::NotAligned { confidence: err.confidence })?;
        let mut overlay = overlay(&before, &after, &alignment);
        let mut mask = Mask::none(after.size());
        mask.add_outside(&overlay.covered);
        for [left, top, width, height] in ignored {
            let [left, top] = after.reduced([*left, *top]);
            let [width, height] = after.reduced([*width, *height]);
            mask.add_rectangle([left, top, width, height]);
        }
        if let Some(image) = ignored_image {
            mask.add_image(image);
        }
        mask.leave_out(&mut overlay);
        let light = overlay.even_out();
        let (images, alignment) = (overlay.photographs(), alignment.enlarged(factors));
        Ok(Self { images, enlarged: factors[1], size: after.full_size(), alignment, light, mask })
    }
}

/// The cells of an image.
fn grid(model: &Description, image: &Photograph, cell: Option<f64>) -> Result<Grid, NotCompared> {
    let preprocessing = &model.card.preprocessing;
    let [width, full_width] = [image.size(), image.full_size()].map(|[width, _]| f64::from(width));
    let (reduced, enlarged) = (width / full_width, full_width / width);
    let places = model.map.unwrap_or([1, 1]);
    let stride = f64::from(preprocessing.height) / float(places[0]);
    // A map shows no more than the pixels of the image do.
    let least = if model.map.is_some() { stride } else { 1.0 };
    let side = cell.map_or(stride, |cell| cell * reduced);
    if side < least * (1.0 - 1e-6) {
        return Err(NotCompared::CellTooSmall { least: (least * enlarged).ceil() });
    }
    let grid = Grid::new(image.size(), side, places, preprocessing);
    if MAX_TILES < grid.tiles() {
        let factor = (float(grid.tiles()) / float(MAX_TILES)).sqrt();
        return Err(NotCompared::CellTooSmall { least: (side * factor * enlarged).ceil() });
    }
    Ok(grid)
}

/// A number of places or tiles.
fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("an image has at most as many places as pixels"))
}
