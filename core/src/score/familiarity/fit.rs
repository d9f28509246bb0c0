//! From the images of a calibration to their description.

use std::collections::BTreeMap;

use thiserror::Error;

use super::centres::{Centres, MOST_NUMBERS};
use super::cloud::Cloud;
use super::{Familiarity, direction, measured, share_from};
use crate::score::Embedding;
use crate::score::scores::count;

/// The most images that are used: an even selection of more. It bounds the time.
const MOST_IMAGES: usize = 2_048;

/// The least number of images. Fewer than 50 have no share of 2 %.
const LEAST_IMAGES: usize = 50;

/// The least number of identities.
const LEAST_IDENTITIES: usize = 4;

/// The number of parts in which identities are measured by a description of the others.
const PARTS: usize = 10;

/// The most shares that are stored.
const MOST_STORED: usize = 512;

/// A mean familiarity so much below 0.5 is of no importance.
const UNIMPORTANT: f64 = 0.05;

/// One image of a calibration.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// The number of its identity.
    pub identity: usize,
    /// Its embedding.
    pub embedding: &'a Embedding,
    /// The statistics of its pixels; the same number for each image.
    pub statistics: &'a [f32],
}

/// Why images cannot be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotDescribed {
    /// There are too few images.
    #[error("at least {LEAST_IMAGES} images are needed, not {0}")]
    TooFewImages(usize),
    /// There are too few identities.
    #[error("at least {LEAST_IDENTITIES} identities are needed, not {0}")]
    TooFewIdentities(usize),
    /// An embedding has too many coordinates.
    #[error("an embedding of {0} coordinates has too many: at most {MOST_NUMBERS} are possible")]
    TooWide(usize),
    /// A number is NaN or infinite.
    #[error("the statistics of an image are not finite")]
    NotFinite,
}

/// One image, ready to be measured.
struct Prepared<'a> {
    part: usize,
    identity: usize,
    direction: Vec<f32>,
    example: &'a Example<'a>,
}

impl Familiarity {
    /// Describes the images of a calibration. The result depends on the images and their order alone.
    ///
    /// # Panics
    ///
    /// If embeddings or statistics differ in size.
    pub fn fit(examples: &[Example]) -> Result<Self, NotDescribed> {
        let step = examples.len().div_ceil(MOST_IMAGES).max(1);
        let selected: Vec<_> = examples.iter().step_by(step).collect();
        let mut ranks = BTreeMap::new();
        for example in &selected {
            let next = ranks.len();
            ranks.entry(example.identity).or_insert(next);
        }
        if selected.len() < LEAST_IMAGES {
            return Err(NotDescribed::TooFewImages(selected.len()));
        }
        if ranks.len() < LEAST_IDENTITIES {
            return Err(NotDescribed::TooFewIdentities(ranks.len()));
        }
        let width = selected[0].embedding.width();
        if MOST_NUMBERS < width {
            return Err(NotDescribed::TooWide(width));
        }
        if selected
            .iter()
            .any(|example| example.statistics.iter().any(|number| !number.is_finite()))
        {
            return Err(NotDescribed::NotFinite);
        }
        let parts = PARTS.min(ranks.len());
        let prepared: Vec<_> = selected
            .into_iter()
            .map(|example| Prepared {
                part: ranks[&example.identity] % parts,
                identity: ranks[&example.identity],
                direction: direction(example.embedding),
                example,
            })
            .collect();

        let mut unusual = vec![0.0; prepared.len()];
        for part in 0..parts {
            let (centres, cloud) = describe(prepared.iter().filter(|image| image.part != part));
            for (unusual, image) in unusual.iter_mut().zip(&prepared) {
                if image.part == part {
                    *unusual = cloud.unusual(&image.measured(&centres));
                }
            }
        }
        let (centres, cloud) = describe(prepared.iter());
        #[expect(clippy::cast_possible_truncation, reason = "stored in single precision")]
        let mut ascending: Vec<_> = unusual.iter().map(|value| *value as f32).collect();
        ascending.sort_unstable_by(f32::total_cmp);
        let shares: Vec<_> = unusual.iter().map(|value| share_from(&ascending, *value)).collect();
        Ok(Self {
            images: count(examples.len()),
            identities: count(ranks.len()),
            tolerated: tolerated(&prepared, &shares, ranks.len()),
            centres,
            cloud,
            unusual: even_selection(&ascending),
        })
    }
}

impl Prepared<'_> {
    fn measured(&self, centres: &Centres) -> Vec<f64> {
        measured(centres, self.example.embedding, self.example.statistics)
    }
}

fn describe<'a>(images: impl Iterator<Item = &'a Prepared<'a>>) -> (Centres, Cloud) {
    let images: Vec<_> = images.collect();
    let directions: Vec<_> = images.iter().map(|image| image.direction.as_slice()).collect();
    let centres = Centres::fit(&directions);
    let points: Vec<_> = images.iter().map(|image| image.measured(&centres)).collect();
    let cloud = Cloud::fit(&points);
    (centres, cloud)
}

/// The lowest mean familiarity of a stream that is like the calibration. The images of an identity resemble each other,
/// so the mean of a stream is uncertain by the differences between the identities of the calibration: two standard
/// errors of their mean are allowed.
fn tolerated(images: &[Prepared], shares: &[f64], identities: usize) -> f64 {
    let mut means = vec![(0.0, 0.0); identities];
    for (image, share) in images.iter().zip(shares) {
        let (sum, count) = &mut means[image.identity];
        *sum += share;
        *count += 1.0;
    }
    let means: Vec<f64> = means.into_iter().map(|(sum, count)| sum / count).collect();
    let identities = as_f64(identities);
    let mean = means.iter().sum::<f64>() / identities;
    let squares: f64 = means.iter().map(|value| (value - mean).powi(2)).sum();
    let standard_error = (squares / (identities - 1.0) / identities).sqrt();
    let tolerated = 0.5 - UNIMPORTANT - 2.0 * standard_error;
    (tolerated.clamp(0.1, 0.45) * 1e4).round() / 1e4
}

/// At most [`MOST_STORED`] of the values, evenly spaced by rank, with the first and the last.
fn even_selection(ascending: &[f32]) -> Vec<f32> {
    let last = ascending.len() - 1;
    let stored = MOST_STORED.min(ascending.len());
    (0..stored).map(|at| ascending[at * last / (stored - 1)]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 images")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}
