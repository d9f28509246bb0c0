//! What steps see, made ready one step ahead.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::draws::Draws;
use super::{Batch, Members};
use crate::config::Config;
use crate::data::Gallery;

/// Makes what a step sees of the run's choices, the gallery and the step's number alone.
#[derive(Clone, Debug)]
pub(in crate::learn) struct Supply<'a> {
    config: &'a Config,
    gallery: &'a Gallery,
    stock: Stock<'a>,
}

/// What batches are drawn from.
#[derive(Clone, Debug)]
enum Stock<'a> {
    Identities(Arc<Members>),
    List(Arc<Draws<'a>>),
}

/// What one step sees.
#[derive(Debug)]
pub(in crate::learn) struct Supplied {
    /// Whose step it is.
    pub(in crate::learn) step: u32,
    /// Which images, and what is compared with what.
    pub(in crate::learn) batch: Batch,
    /// The images' pixels, varied, one after another.
    pub(in crate::learn) pixels: Vec<f32>,
    /// What the rest of the step's chance is drawn from.
    pub(in crate::learn) random: ChaCha8Rng,
}

impl<'a> Supply<'a> {
    pub(in crate::learn) fn new(config: &'a Config, gallery: &'a Gallery) -> Self {
        let stock = match gallery.listing() {
            Some(listing) => Stock::List(Arc::new(Draws::new(listing))),
            None => Stock::Identities(Arc::new(Members::new(gallery))),
        };
        Self { config, gallery, stock }
    }

    /// Draws a step's batch and varies its images.
    ///
    /// All chance in it is drawn from the run's seed and the step's number: it does not matter
    /// when it is made.
    pub(in crate::learn) fn make(&self, step: u32) -> Supplied {
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        // Stream 0 drew the first weights.
        random.set_stream(u64::from(step) + 1);
        let (sampling, loss) = (self.config.sampling, self.config.loss.kind);
        let batch = match &self.stock {
            Stock::Identities(members) => sampling.draw(loss, members, &mut random),
            Stock::List(draws) => draws.draw(sampling, loss, &mut random),
        };
        let shape = self.config.preprocessing().shape();
        let mut pixels = Vec::with_capacity(batch.images.len() * shape.iter().product::<usize>());
        for image in &batch.images {
            let image = self.gallery.samples()[*image].pixels.values();
            pixels.extend(self.config.augmentation.apply(image, shape, &mut random));
        }
        Supplied { step, batch, pixels, random }
    }

    /// Every image as it is and varied so many times, with the identity of each.
    pub(in crate::learn) fn all(
        &self,
        variations: usize,
        random: &mut ChaCha8Rng,
    ) -> (Vec<Vec<f32>>, Vec<usize>) {
        let shape = self.config.preprocessing().shape();
        let (mut images, mut identities) = (Vec::new(), Vec::new());
        for sample in self.gallery.samples() {
            let pixels = sample.pixels.values();
            images.push(pixels.to_vec());
            for _ in 0..variations {
                images.push(self.config.augmentation.apply(pixels, shape, random));
            }
            identities.resize(images.len(), sample.identity);
        }
        (images, identities)
    }
}
