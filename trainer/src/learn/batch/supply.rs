//! The supply of batches.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::draws::Draws;
use super::{Batch, Members};
use crate::config::Config;
use crate::data::Gallery;
use crate::learn::whitening::Labels;
use crate::network::{HeadConfig, NetworkConfig};

/// Makes the batch of a step from the configuration, the gallery and the number of the step.
#[derive(Clone, Debug)]
pub(in crate::learn) struct Supply<'a> {
    config: &'a Config,
    gallery: &'a Gallery,
    source: Source<'a>,
}

/// The source that batches are drawn from.
#[derive(Clone, Debug)]
enum Source<'a> {
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
    /// The augmented pixels of all images.
    pub(in crate::learn) pixels: Vec<f32>,
    /// The random generator for the rest of the step.
    pub(in crate::learn) random: ChaCha8Rng,
}

impl<'a> Supply<'a> {
    pub(in crate::learn) fn new(config: &'a Config, gallery: &'a Gallery) -> Self {
        let source = match gallery.listing() {
            Some(listing) => Source::List(Arc::new(Draws::new(listing))),
            None => Source::Identities(Arc::new(Members::new(gallery))),
        };
        Self { config, gallery, source }
    }

    /// Draws the batch of a step and augments its images.
    ///
    /// All random numbers depend only on the seed of the run and the number of the step.
    pub(in crate::learn) fn make(&self, step: u32) -> Supplied {
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        // Stream 0 is for the initial weights.
        random.set_stream(u64::from(step) + 1);
        let (sampling, loss) = (self.config.sampling, self.config.loss.kind);
        let batch = match &self.source {
            Source::Identities(members) => sampling.draw(loss, members, &mut random),
            Source::List(draws) => draws.draw(sampling, loss, &mut random),
        };
        let shape = self.config.shape();
        let mut pixels = Vec::with_capacity(batch.images.len() * shape.iter().product::<usize>());
        for (place, image) in batch.images.iter().enumerate() {
            let values = self.gallery.samples()[*image].pixels.values();
            if let NetworkConfig::Head(HeadConfig { mixing: [low, high], .. }) = self.config.network
            {
                let own = random.random_range(low..=high);
                let other = self.relative(&batch, place, &mut random);
                pixels.extend(values.iter().zip(other).map(|(a, b)| own * a + (1.0 - own) * b));
            } else {
                pixels.extend(self.config.augmentation.apply(values, shape, &mut random));
            }
        }
        Supplied { step, batch, pixels, random }
    }

    /// Draws an image with the same identity as the image at `place` of a batch. A list names no identities, so there it is
    /// the image itself.
    fn relative(&self, batch: &Batch, place: usize, random: &mut ChaCha8Rng) -> &'a [f32] {
        let image = match &self.source {
            Source::Identities(members) => random.random_range(members.of(batch.identities[place])),
            Source::List(_) => batch.images[place],
        };
        self.gallery.samples()[image].pixels.values()
    }

    /// Returns every image and `variations` augmented copies of it, and which of them are the same.
    pub(in crate::learn) fn all(
        &self,
        variations: usize,
        random: &mut ChaCha8Rng,
    ) -> (Vec<Vec<f32>>, Labels) {
        let shape = self.config.shape();
        let (mut images, mut identities) = (Vec::new(), Vec::new());
        for sample in self.gallery.samples() {
            let pixels = sample.pixels.values();
            images.push(pixels.to_vec());
            for _ in 0..variations {
                images.push(self.config.augmentation.apply(pixels, shape, random));
            }
            identities.resize(images.len(), sample.identity);
        }
        let labels = match Labels::of(self.gallery) {
            Labels::Identities(_) => Labels::Identities(identities),
            // A copy is augmented by itself, so the two images of a pair are compared as they are.
            Labels::Pairs(pairs) => Labels::Pairs(
                pairs.into_iter().map(|pair| pair.map(|it| it * (1 + variations))).collect(),
            ),
        };
        (images, labels)
    }
}
