//! Images with their embeddings.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::{Card, Description, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;

use super::{Map, Subject, TrainingOverlap, thumbnail};
use crate::data::{Gallery, Sample};
use crate::statistics::{Comparisons, NoEpisode, NotComparable, OneShot, OneShotRate, Plane, Unit};

/// The largest number of images on a map; more would overlap.
const MAX_MAPPED: usize = 400;

/// Images that a model has embedded.
#[derive(Clone, Debug)]
pub struct Embedded {
    model: Arc<Description>,
    gallery: Gallery,
    data: String,
    /// By identity, in the gallery's order.
    embeddings: Vec<Vec<Embedding>>,
}

/// Images could not be embedded.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// The model failed.
    #[error(transparent)]
    Run(#[from] ModelError),
    /// The model's output for an image is not an embedding.
    #[error("the model's output for {image} is not an embedding")]
    NoEmbedding {
        /// The image, as `IDENTITY/IMAGE`.
        image: String,
        /// What is wrong with the output.
        #[source]
        cause: InvalidEmbedding,
    },
}

/// Embeds images in order; `pixels` returns the input tensor of an image, and `bar` shows the progress.
pub fn embed<P>(
    model: &mut impl Model,
    samples: &[&Sample<P>],
    pixels: impl Fn(&P) -> Pixels,
    bar: &ProgressBar,
) -> Result<Vec<Embedding>, EmbeddedError> {
    /// Large enough for any batch, and small enough for a smooth progress bar.
    const CHUNK: usize = 64;
    let mut embeddings = Vec::with_capacity(samples.len());
    for chunk in samples.chunks(CHUNK) {
        let pixels: Vec<_> = chunk.iter().map(|sample| pixels(&sample.pixels)).collect();
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

/// Returns a progress bar for embedding `n_images` images.
#[expect(clippy::missing_panics_doc, reason = "the template is one that indicatif knows")]
pub fn embedding_bar(n_images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("embedding {wide_bar} {pos}/{len}, {eta} left")
        .expect("a template that indicatif knows");
    ProgressBar::new(n_images.try_into().unwrap_or(u64::MAX)).with_style(style)
}

/// Compares all pairs of a gallery, or the listed ones. There is one embedding per image, in order.
pub fn compare<P>(
    gallery: &Gallery<P>,
    embeddings: Vec<Embedding>,
) -> Result<Comparisons, NotComparable> {
    compare_grouped(gallery, &by_identity(gallery, embeddings))
}

fn by_identity<P>(gallery: &Gallery<P>, embeddings: Vec<Embedding>) -> Vec<Vec<Embedding>> {
    assert_eq!(gallery.samples().len(), embeddings.len(), "one embedding per image");
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
    let mut indices = Vec::with_capacity(gallery.samples().len());
    for sample in gallery.samples() {
        let count = &mut counts[sample.identity];
        indices.push([u32::try_from(sample.identity).unwrap_or(u32::MAX), *count]);
        *count += 1;
    }
    let pairs = listing.pairs().iter();
    let pairs: Vec<_> =
        pairs.map(|pair| ([indices[pair.left], indices[pair.right]], pair.is_same)).collect();
    Comparisons::listed(embeddings, &pairs)
}

impl Embedded {
    /// Embeds preprocessed images with a model. Shows the progress on a terminal.
    pub fn by(model: &mut OnnxModel, gallery: Gallery, data: &str) -> Result<Self, EmbeddedError> {
        let samples: Vec<_> = gallery.samples().iter().collect();
        let bar = embedding_bar(samples.len());
        let embeddings = embed(model, &samples, Pixels::clone, &bar)?;
        bar.finish_and_clear();
        Ok(Self::new(model.description().clone(), gallery, data, embeddings))
    }

    /// Combines images of the data named `data` with their embeddings, in order.
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

    /// Embeds the same images with another model, which must have the same preprocessing.
    pub fn again(&self, model: &mut OnnxModel) -> Result<Self, EmbeddedError> {
        Self::by(model, self.gallery.clone(), &self.data)
    }

    /// Replaces the description of the model. The new model must give the same embeddings.
    #[must_use]
    pub fn described(self, model: Arc<Description>) -> Self {
        Self { model, ..self }
    }

    /// Returns the description of the model.
    pub fn model(&self) -> &Description {
        &self.model
    }

    /// Returns the model's card.
    pub fn card(&self) -> &Card {
        &self.model.card
    }

    /// Returns the images.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// Compares all pairs of the images, or the listed ones.
    pub fn comparisons(&self) -> Result<Comparisons, NotComparable> {
        compare_grouped(&self.gallery, &self.embeddings)
    }

    /// Returns each image's identity, embedding and statistics.
    pub(super) fn with_statistics(&self) -> Vec<(usize, &Embedding, Vec<f32>)> {
        let preprocessing = &self.card().preprocessing;
        let mut rest: Vec<_> = self.embeddings.iter().map(|embeddings| embeddings.iter()).collect();
        let samples = self.gallery.samples().iter();
        samples
            .map(|sample| {
                let embedding = rest[sample.identity].next().expect("one embedding per image");
                (sample.identity, embedding, preprocessing.statistics(&sample.pixels))
            })
            .collect()
    }

    /// Measures the one-shot error; needs identities.
    pub fn one_shot(&self, one_shot: OneShot) -> Result<OneShotRate, NoEpisode> {
        one_shot.measure(self.gallery.identities(), &self.embeddings)
    }

    /// Makes a map of the images: all of them, or an even selection of at most `MAX_MAPPED`.
    pub fn map(&self) -> Map {
        let total = self.gallery.samples().len();
        let step = total.div_ceil(MAX_MAPPED);
        let all = self.embeddings.iter().zip(0_u32..).flat_map(|(embeddings, identity)| {
            let numbered = embeddings.iter().zip(0_u32..);
            numbered.map(move |(embedding, image)| ([identity, image], embedding))
        });
        let (images, embeddings): (Vec<_>, Vec<_>) = all.step_by(step.max(1)).unzip();
        Map { images, plane: Plane::of(&embeddings) }
    }

    /// Describes in words which images of the data these are.
    pub fn selection(&self) -> &'static str {
        match (self.unit(), self.gallery.is_part()) {
            (Unit::Identity, true) => "selected identities",
            (Unit::Identity, false) => "all identities",
            (Unit::Component, true) => "selected pairs",
            (Unit::Component, false) => "listed pairs",
        }
    }

    fn unit(&self) -> Unit {
        if self.gallery.listing().is_some() { Unit::Component } else { Unit::Identity }
    }

    /// Returns the names of the model, the data, the identities and the images.
    pub fn subject(&self) -> Subject {
        let description = &self.model;
        let mut images = vec![Vec::new(); self.gallery.identities().len()];
        for sample in self.gallery.samples() {
            images[sample.identity].push(sample.name.clone());
        }
        let identities = self.gallery.identities();
        Subject {
            unit: self.unit(),
            training: TrainingOverlap::of(
                description.card.provenance.as_ref(),
                &self.data,
                identities,
            ),
            model: description.card.name.clone(),
            digest: description.digest.clone(),
            data: self.data.clone(),
            identities: identities.to_vec(),
            images,
            skipped: self.gallery.skipped().to_vec(),
            provenance: description.card.published_provenance(),
        }
    }

    /// Returns the data URI of a preprocessed image, by the index of its identity and its index within the identity.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn thumbnail(&self, [identity, image]: [u32; 2]) -> String {
        let mut of_identity =
            self.gallery.samples().iter().filter(|sample| sample.identity == identity as usize);
        let sample = of_identity.nth(image as usize).expect("an index in the gallery");
        thumbnail(&sample.pixels, &self.card().preprocessing)
    }
}
