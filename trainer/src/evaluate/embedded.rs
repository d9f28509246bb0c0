//! Pictures, and what a tower makes of them.

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::{LoadError, OnnxTower, Options, Tower, TowerError};
use siamese_core::score::{Embedding, InvalidEmbedding};
use thiserror::Error;

use super::{Acquaintance, Chosen, Map, Subject, thumbnail};
use crate::data::{Collection, DataError, Gallery};
use crate::statistics::{Comparisons, NoEpisode, NotComparable, OneShot, OneShotRate, Plane, Unit};

/// Pictures on a map at most: more can't be told apart.
const MAPPED: usize = 400;

/// Pictures that a tower has embedded.
pub struct Embedded {
    tower: OnnxTower,
    gallery: Gallery,
    data: String,
    /// By identity, in the gallery's order.
    embeddings: Vec<Vec<Embedding>>,
}

/// Why a tower can't be measured.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// The tower can't be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The pictures can't.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The tower failed on the way.
    #[error(transparent)]
    Run(#[from] TowerError),
    /// The tower's output for one picture is none.
    #[error("the tower gives {picture} no embedding")]
    NoEmbedding {
        /// The picture, as `IDENTITY/PICTURE`.
        picture: String,
        /// What is wrong with the output.
        #[source]
        cause: InvalidEmbedding,
    },
    /// The pictures make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
}

/// Every pair of a gallery's pictures, or those that are listed, by their embeddings.
pub fn compare(
    gallery: &Gallery,
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
    /// Loads the tower, prepares the pictures as it wants them, and embeds them. Shows its progress
    /// where somebody watches.
    pub fn load(chosen: &Chosen, options: &Options) -> Result<Self, EmbeddedError> {
        let pictures = chosen.pictures.collection()?;
        let tower = OnnxTower::load(&chosen.tower, options)?;
        Self::by(tower, &pictures, chosen.pictures.skip_unreadable)
    }

    /// Prepares pictures as the tower wants them, and embeds them.
    pub fn by(
        tower: OnnxTower,
        pictures: &Collection,
        skip_unreadable: bool,
    ) -> Result<Self, EmbeddedError> {
        let gallery = Gallery::load(pictures, &tower.card().preparation, skip_unreadable)?;
        Self::new(tower, gallery, pictures.name().to_owned())
    }

    /// The same pictures by another tower, which must prepare them alike.
    pub fn again(&self, tower: OnnxTower) -> Result<Self, EmbeddedError> {
        Self::new(tower, self.gallery.clone(), self.data.clone())
    }

    fn new(tower: OnnxTower, gallery: Gallery, data: String) -> Result<Self, EmbeddedError> {
        let mut embedded = Self { tower, gallery, data, embeddings: Vec::new() };
        embedded.embed()?;
        Ok(embedded)
    }

    /// The tower.
    pub fn tower(&self) -> &OnnxTower {
        &self.tower
    }

    /// The pictures.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// Every pair of the pictures, or those that are listed.
    pub fn comparisons(&self) -> Result<Comparisons, NotComparable> {
        compare(&self.gallery, &self.embeddings)
    }

    /// How often somebody seen once is recognised among others; for identities.
    pub fn one_shot(&self, one_shot: OneShot) -> Result<OneShotRate, NoEpisode> {
        one_shot.measure(self.gallery.identities(), &self.embeddings)
    }

    /// The pictures on paper: all, or evenly picked ones of each identity where there are many.
    pub fn map(&self) -> Map {
        let total = self.gallery.samples().len();
        let step = total.div_ceil(MAPPED);
        let all = self.embeddings.iter().zip(0_u32..).flat_map(|(of_one, identity)| {
            of_one.iter().zip(0_u32..).map(move |(it, picture)| ([identity, picture], it))
        });
        let (pictures, embeddings): (Vec<_>, Vec<_>) = all.step_by(step.max(1)).unzip();
        Map { pictures, plane: Plane::of(&embeddings) }
    }

    /// Names of everything.
    pub fn subject(&self) -> Subject {
        let description = self.tower.description();
        let mut pictures = vec![Vec::new(); self.gallery.identities().len()];
        for sample in self.gallery.samples() {
            pictures[sample.identity].push(sample.name.clone());
        }
        let provenance = description.card.provenance.as_ref();
        let identities = self.gallery.identities();
        Subject {
            unit: if self.gallery.listing().is_some() { Unit::Component } else { Unit::Identity },
            acquaintance: Acquaintance::of(provenance, &self.data, identities),
            tower: description.card.name.clone(),
            digest: description.digest.clone(),
            data: self.data.clone(),
            identities: identities.to_vec(),
            pictures,
            skipped: self.gallery.skipped().to_vec(),
            provenance: provenance.cloned(),
        }
    }

    /// The data URI of one picture as the tower reads it, by the places of its identity and of the
    /// picture among that identity's.
    ///
    /// # Panics
    ///
    /// If there is no such picture.
    pub fn thumbnail(&self, [identity, picture]: [u32; 2]) -> String {
        let mut of_identity =
            self.gallery.samples().iter().filter(|it| it.identity == identity as usize);
        let sample = of_identity.nth(picture as usize).expect("a place in the gallery");
        thumbnail(&sample.pixels, &self.tower.card().preparation)
    }

    fn embed(&mut self) -> Result<(), EmbeddedError> {
        /// Enough for any batch, and short enough for a lively bar.
        const CHUNK: usize = 64;
        let samples = self.gallery.samples();
        let style = ProgressStyle::with_template("embedding {wide_bar} {pos}/{len}, {eta} left")
            .expect("a template that indicatif knows");
        let bar = ProgressBar::new(samples.len().try_into().unwrap_or(u64::MAX)).with_style(style);
        self.embeddings = vec![Vec::new(); self.gallery.identities().len()];
        for chunk in samples.chunks(CHUNK) {
            let pixels: Vec<_> = chunk.iter().map(|it| it.pixels.clone()).collect();
            for (sample, embedding) in chunk.iter().zip(self.tower.embed(&pixels)?) {
                let embedding = embedding.map_err(|cause| EmbeddedError::NoEmbedding {
                    picture: sample.name.clone(),
                    cause,
                })?;
                self.embeddings[sample.identity].push(embedding);
            }
            bar.inc(chunk.len().try_into().unwrap_or(u64::MAX));
        }
        bar.finish_and_clear();
        Ok(())
    }
}
