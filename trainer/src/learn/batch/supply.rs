//! The supply of batches.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::draws::Draws;
use super::{Batch, Members};
use crate::config::Config;
use crate::data::Gallery;
use crate::learn::cells::DrawnTiles;
use crate::learn::whitening::Labels;
use crate::learn::{Examples, Tiles};
use crate::network::{HeadConfig, NetworkConfig};

/// Makes the batch of a step from the configuration, the examples and the number of the step.
#[derive(Clone, Debug)]
pub(in crate::learn) struct Supply<'a> {
    config: &'a Config,
    source: Source<'a>,
}

/// The source that batches are drawn from.
#[derive(Clone, Debug)]
enum Source<'a> {
    Images(&'a Gallery, Drawn<'a>),
    Cells(&'a Tiles),
}

/// What images are drawn by.
#[derive(Clone, Debug)]
enum Drawn<'a> {
    Identities(Arc<Members>),
    List(Arc<Draws<'a>>),
}

/// A batch with its pixels.
#[derive(Debug)]
pub(in crate::learn) struct Supplied {
    /// The number of the step.
    pub(in crate::learn) step: u32,
    /// The images, and the pairs or triplets to compare.
    pub(in crate::learn) batch: Batch,
    /// The augmented pixels of all images, or the maps of all tiles.
    pub(in crate::learn) pixels: Vec<f32>,
    /// The number of images or tiles.
    pub(in crate::learn) count: usize,
    /// The random generator for the rest of the step.
    pub(in crate::learn) random: ChaCha8Rng,
}

impl<'a> Supply<'a> {
    pub(in crate::learn) fn new(config: &'a Config, examples: Examples<'a>) -> Self {
        let source = match examples {
            Examples::Cells(tiles) => Source::Cells(tiles),
            Examples::Images(gallery) => {
                let drawn = match gallery.listing() {
                    Some(listing) => Drawn::List(Arc::new(Draws::new(listing))),
                    None => Drawn::Identities(Arc::new(Members::new(gallery))),
                };
                Source::Images(gallery, drawn)
            }
        };
        Self { config, source }
    }

    /// Draws the batch of a step and augments its images.
    ///
    /// All random numbers depend only on the seed of the run and the number of the step.
    pub(in crate::learn) fn make(&self, step: u32) -> Supplied {
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        // Stream 0 is for the initial weights.
        random.set_stream(u64::from(step) + 1);
        let (sampling, loss) = (self.config.sampling, self.config.loss.kind);
        let (gallery, drawn) = match &self.source {
            Source::Images(gallery, drawn) => (*gallery, drawn),
            Source::Cells(tiles) => {
                let DrawnTiles { truth, maps, count } = tiles.draw(sampling.draws(), &mut random);
                let batch = Batch { cells: truth, ..Batch::default() };
                return Supplied { step, batch, pixels: maps, count: 2 * count, random };
            }
        };
        let batch = match drawn {
            Drawn::Identities(members) => sampling.draw(loss, members, &mut random),
            Drawn::List(list) => list.draw(sampling, loss, &mut random),
        };
        let shape = self.config.shape();
        let mut pixels = Vec::with_capacity(batch.images.len() * shape.iter().product::<usize>());
        for (place, image) in batch.images.iter().enumerate() {
            let values = gallery.samples()[*image].pixels.values();
            if let NetworkConfig::Head(HeadConfig { mixing: [low, high], .. }) = self.config.network
            {
                let own = random.random_range(low..=high);
                let other = drawn.relative(gallery, &batch, place, &mut random);
                pixels.extend(values.iter().zip(other).map(|(a, b)| own * a + (1.0 - own) * b));
            } else {
                pixels.extend(self.config.augmentation.apply(values, shape, &mut random));
            }
        }
        let count = batch.images.len();
        Supplied { step, batch, pixels, count, random }
    }

    /// Returns every image and `variations` augmented copies of it, and which of them are the same. Cells have no images.
    pub(in crate::learn) fn all(
        &self,
        variations: usize,
        random: &mut ChaCha8Rng,
    ) -> (Vec<Vec<f32>>, Labels) {
        let shape = self.config.shape();
        let (mut images, mut identities) = (Vec::new(), Vec::new());
        let Source::Images(gallery, _) = self.source else {
            return (images, Labels::Identities(identities));
        };
        for sample in gallery.samples() {
            let pixels = sample.pixels.values();
            images.push(pixels.to_vec());
            for _ in 0..variations {
                images.push(self.config.augmentation.apply(pixels, shape, random));
            }
            identities.resize(images.len(), sample.identity);
        }
        let labels = match Labels::of(gallery) {
            Labels::Identities(_) => Labels::Identities(identities),
            // A copy is augmented by itself, so the two images of a pair are compared as they are.
            Labels::Pairs(pairs) => Labels::Pairs(
                pairs.into_iter().map(|pair| pair.map(|it| it * (1 + variations))).collect(),
            ),
        };
        (images, labels)
    }
}

impl Drawn<'_> {
    /// Draws an image with the same identity as the image at `place` of a batch. A list names no identities, so there it is
    /// the image itself.
    fn relative<'b>(
        &self,
        gallery: &'b Gallery,
        batch: &Batch,
        place: usize,
        random: &mut ChaCha8Rng,
    ) -> &'b [f32] {
        let image = match self {
            Self::Identities(members) => random.random_range(members.of(batch.identities[place])),
            Self::List(_) => batch.images[place],
        };
        gallery.samples()[image].pixels.values()
    }
}
