//! Images, and what a model makes of them.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::{Card, Description, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;

use super::{Acquaintance, Map, Subject, thumbnail};
use crate::data::{Gallery, Sample};
use crate::statistics::{Comparisons, NoEpisode, NotComparable, OneShot, OneShotRate, Plane, Unit};

/// Images on a map at most: more can't be told apart.
const MAPPED: usize = 400;

/// Images that a model has embedded.
#[derive(Clone, Debug)]
pub struct Embedded {
    model: Arc<Description>,
    gallery: Gallery,
    data: String,
    /// By identity, in the gallery's order.
    embeddings: Vec<Vec<Embedding>>,
}

/// Why images have no embeddings.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// The model failed on the way.
    #[error(transparent)]
    Run(#[from] ModelError),
    /// The model's output for one image is none.
    #[error("the model gives {image} no embedding")]
    NoEmbedding {
        /// The image, as `IDENTITY/IMAGE`.
        image: String,
        /// What is wrong with the output.
        #[source]
        cause: InvalidEmbedding,
    },
}

/// Embeds images in their order, `pixels` being what the model reads of each; `bar` shows how many are done.
pub fn embed<P>(
    model: &mut impl Model,
    samples: &[&Sample<P>],
    pixels: impl Fn(&P) -> Pixels,
    bar: &ProgressBar,
) -> Result<Vec<Embedding>, EmbeddedError> {
    /// Enough for any batch, and short enough for a lively bar.
    const CHUNK: usize = 64;
    let mut embeddings = Vec::with_capacity(samples.len());
    for chunk in samples.chunks(CHUNK) {
        let pixels: Vec<_> = chunk.iter().map(|it| pixels(&it.pixels)).collect();
        for (sample, embedding) in chunk.iter().zip(model.embed(&pixels)?) {
            embeddings.push(embedding.map_err(|cause| EmbeddedError::NoEmbedding {
                image: sample.name.clone(),
                cause,
            })?);
        }
        bar.inc(chunk.len().try_into().unwrap_or(u64::MAX));
    }
    Ok(embeddings)
}

/// A bar on the terminal over so many images to be embedded.
#[expect(clippy::missing_panics_doc, reason = "the template is one that indicatif knows")]
pub fn embedding_bar(n_images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("embedding {wide_bar} {pos}/{len}, {eta} left")
        .expect("a template that indicatif knows");
    ProgressBar::new(n_images.try_into().unwrap_or(u64::MAX)).with_style(style)
}

/// Every pair of a gallery's images, or those that are listed, by their embeddings: one of each image, in order.
pub fn compare<P>(
    gallery: &Gallery<P>,
    embeddings: Vec<Embedding>,
) -> Result<Comparisons, NotComparable> {
    compare_grouped(gallery, &by_identity(gallery, embeddings))
}

fn by_identity<P>(gallery: &Gallery<P>, embeddings: Vec<Embedding>) -> Vec<Vec<Embedding>> {
    assert_eq!(gallery.samples().len(), embeddings.len(), "one embedding an image");
    let mut grouped = vec![Vec::new(); gallery.identities().len()];
    for (sample, embedding) in gallery.samples().iter().zip(embeddings) {
        grouped[sample.identity].push(embedding);
    }
    grouped
}

fn compare_grouped<P>(
    gallery: &Gallery<P>,
    embeddings: &[Vec<Embedding>],
) -> Result<Comparisons, NotComparable> {
    let Some(listing) = gallery.listing() else { return Comparisons::new(embeddings) };
    let mut counts = vec![0; gallery.identities().len()];
    let mut places = Vec::with_capacity(gallery.samples().len());
    for sample in gallery.samples() {
        let count = &mut counts[sample.identity];
        places.push([u32::try_from(sample.identity).unwrap_or(u32::MAX), *count]);
        *count += 1;
    }
    let pairs = listing.pairs().iter();
    let pairs: Vec<_> = pairs.map(|it| ([places[it.left], places[it.right]], it.is_same)).collect();
    Comparisons::listed(embeddings, &pairs)
}

impl Embedded {
    /// Has a model embed images that are preprocessed as it wants them. Shows its progress where somebody watches.
    pub fn by(model: &mut OnnxModel, gallery: Gallery, data: &str) -> Result<Self, EmbeddedError> {
        let samples: Vec<_> = gallery.samples().iter().collect();
        let bar = embedding_bar(samples.len());
        let embeddings = embed(model, &samples, Pixels::clone, &bar)?;
        bar.finish_and_clear();
        Ok(Self::new(model.description().clone(), gallery, data, embeddings))
    }

    /// Images of the data called `data`, and what a model has made of each, in order.
    ///
    /// # Panics
    ///
    /// If there are more or fewer embeddings than images.
    pub fn new(
        model: Arc<Description>,
        gallery: Gallery,
        data: &str,
        embeddings: Vec<Embedding>,
    ) -> Self {
        let embeddings = by_identity(&gallery, embeddings);
        Self { model, gallery, data: data.to_owned(), embeddings }
    }

    /// The same images by another model, which must prepare them alike.
    pub fn again(&self, model: &mut OnnxModel) -> Result<Self, EmbeddedError> {
        Self::by(model, self.gallery.clone(), &self.data)
    }

    /// The same by a model that embeds alike, and says something else of itself.
    #[must_use]
    pub fn described(self, model: Arc<Description>) -> Self {
        Self { model, ..self }
    }

    /// What is known of the model.
    pub fn model(&self) -> &Description {
        &self.model
    }

    /// What the model says of itself.
    pub fn card(&self) -> &Card {
        &self.model.card
    }

    /// The images.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// Every pair of the images, or those that are listed.
    pub fn comparisons(&self) -> Result<Comparisons, NotComparable> {
        compare_grouped(&self.gallery, &self.embeddings)
    }

    /// How often somebody seen once is recognised among others; for identities.
    pub fn one_shot(&self, one_shot: OneShot) -> Result<OneShotRate, NoEpisode> {
        one_shot.measure(self.gallery.identities(), &self.embeddings)
    }

    /// The images on paper: all, or evenly picked ones of each identity where there are many.
    pub fn map(&self) -> Map {
        let total = self.gallery.samples().len();
        let step = total.div_ceil(MAPPED);
        let all = self.embeddings.iter().zip(0_u32..).flat_map(|(of_one, identity)| {
            of_one.iter().zip(0_u32..).map(move |(it, image)| ([identity, image], it))
        });
        let (images, embeddings): (Vec<_>, Vec<_>) = all.step_by(step.max(1)).unzip();
        Map { images, plane: Plane::of(&embeddings) }
    }

    /// Names of everything.
    pub fn subject(&self) -> Subject {
        let description = &self.model;
        let mut images = vec![Vec::new(); self.gallery.identities().len()];
        for sample in self.gallery.samples() {
            images[sample.identity].push(sample.name.clone());
        }
        let provenance = description.card.provenance.as_ref();
        let identities = self.gallery.identities();
        Subject {
            unit: if self.gallery.listing().is_some() { Unit::Component } else { Unit::Identity },
            acquaintance: Acquaintance::of(provenance, &self.data, identities),
            model: description.card.name.clone(),
            digest: description.digest.clone(),
            data: self.data.clone(),
            identities: identities.to_vec(),
            images,
            skipped: self.gallery.skipped().to_vec(),
            provenance: provenance.cloned(),
        }
    }

    /// The data URI of one image as the model reads it, by the places of its identity and of the
    /// image among that identity's.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn thumbnail(&self, [identity, image]: [u32; 2]) -> String {
        let mut of_identity =
            self.gallery.samples().iter().filter(|it| it.identity == identity as usize);
        let sample = of_identity.nth(image as usize).expect("a place in the gallery");
        thumbnail(&sample.pixels, &self.card().preprocessing)
    }
}
