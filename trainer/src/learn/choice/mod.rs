//! Chooses the sizes of a head, and the features that it reads, by cross-validation within the training identities.

mod input;

use std::fmt::{self, Display};

use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::Embedding;

use super::Learning;
use super::measure::scores;
use super::whitening::{Labels, Layer, Principal, Whitened};
use crate::config::{Config, Length, Whitening};
use crate::data::Gallery;
use crate::network::NetworkConfig;

pub use input::InputChoice;

/// The number of folds. The identities of one fold are measured with a head from the others.
const FOLDS: usize = 4;
/// The largest number of images that a choice is made on; the time grows with its cube.
pub const MAX_IMAGES: usize = 1_500;
/// The sizes of heads in closed form.
const GRID: Grid = Grid {
    components: &[64, 128, 256],
    widths: &[16, 24, 40, 64, 128],
    shrinkages: &[0.1, 0.4, 1.0],
};

/// Sizes of heads in closed form; all combinations are measured.
struct Grid {
    /// The numbers of principal components.
    components: &'static [usize],
    /// The numbers of coordinates.
    widths: &'static [usize],
    /// See [`Whitening::shrinkage`].
    shrinkages: &'static [f64],
}

/// The sizes of a head, and the EER that was measured with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The number of whitened components.
    pub components: usize,
    /// The number of coordinates of an embedding.
    pub width: usize,
    /// See [`Whitening::shrinkage`].
    pub shrinkage: f64,
    /// The number of training steps; 0 for a head in closed form.
    pub steps: u32,
    /// The mean of the equal error rates over the folds, in [0, 1].
    pub eer: f64,
}

/// The candidates, the best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    candidates: Vec<Candidate>,
    folds: usize,
}

impl Choice {
    /// Measures heads on the features of the training images: in closed form with several sizes, and one trained as `config`
    /// says. `None` if there are too few identities to choose from, or too few pairs.
    pub fn on(config: &Config, gallery: &Gallery) -> Option<Self> {
        let by_fold: Vec<Vec<Candidate>> = in_folds(gallery, |training, held| {
            let mut candidates = closed_form(training, held, &GRID)?;
            candidates.extend(trained(config, training, held));
            Some(candidates)
        })?;
        let folds = by_fold.len();
        // Folds differ in their numbers of images, so a size may be possible in some of them only.
        let in_fold = |candidate: &Candidate, fold: &[Candidate]| {
            fold.iter().find(|other| other.is_like(candidate)).map(|other| other.eer)
        };
        let mean = |candidate: &Candidate| {
            let errors = by_fold.iter().map(|fold| in_fold(candidate, fold));
            let errors: Vec<f64> = errors.collect::<Option<_>>()?;
            Some(Candidate { eer: errors.iter().sum::<f64>() / count(folds), ..*candidate })
        };
        let mut candidates: Vec<_> = by_fold[0].iter().filter_map(mean).collect();
        candidates.sort_by(|one, other| one.eer.total_cmp(&other.eer));
        (!candidates.is_empty()).then_some(Self { candidates, folds })
    }

    /// Returns the best candidate.
    pub fn best(&self) -> Candidate {
        self.candidates[0]
    }

    /// Sets the sizes of the head in a configuration.
    pub fn apply_to(&self, config: &mut Config) {
        self.best().apply_to(config);
    }
}

impl Candidate {
    fn is_like(&self, other: &Self) -> bool {
        Self { eer: other.eer, ..*self } == *other
    }

    fn apply_to(self, config: &mut Config) {
        let Self { components, width, shrinkage, steps, .. } = self;
        if let NetworkConfig::Head(head) = &mut config.network {
            (head.components, head.width) = (components, width);
        }
        config.whitening = Some(Whitening { variations: 0, shrinkage });
        config.length = Length::Steps(steps);
    }
}

impl Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { components, width, shrinkage, steps, eer } = self;
        let how = match steps {
            0 => "in closed form".to_owned(),
            steps => format!("trained {steps} steps"),
        };
        let percent = 100.0 * eer;
        write!(
            f,
            "{how}, {width} coordinates from {components} components, shrinkage {shrinkage} (EER {percent:.2} %)"
        )
    }
}

impl Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = self.best();
        write!(f, "head: {best}, the best of {} by {} folds", self.candidates.len(), self.folds)?;
        f.write_str(" within the training identities")?;
        let is_other = |other: &&Candidate| (other.steps == 0) != (best.steps == 0);
        match self.candidates.iter().find(is_other) {
            Some(other) => write!(f, "; next: {other}"),
            None => Ok(()),
        }
    }
}

/// Measures in each fold: the argument of `measure` is the training side, then the held side. `None` if there are too few
/// identities, or if a measurement fails.
fn in_folds<T: Send>(
    gallery: &Gallery,
    measure: impl Fn(&Gallery, &Gallery) -> Option<T> + Sync,
) -> Option<Vec<T>> {
    let part = gallery.spread(MAX_IMAGES);
    let folds = FOLDS.min(part.identities().len() / 2);
    if folds < 2 {
        return None;
    }
    let measure = |fold: usize| {
        let is_held = |identity: usize| identity % folds == fold;
        measure(&part.part(|it| !is_held(it)), &part.part(is_held))
    };
    (0..folds).into_par_iter().map(measure).collect()
}

/// Measures heads in closed form. `None` if there are no pairs of one kind.
fn closed_form(training: &Gallery, held: &Gallery, grid: &Grid) -> Option<Vec<Candidate>> {
    let rows: Vec<_> =
        training.samples().iter().map(|sample| sample.pixels.values().to_vec()).collect();
    // The last components of few rows are noise.
    let most = rows.first()?.len().min(rows.len() / 2);
    let components: Vec<_> = sizes(grid.components, most).collect();
    let principal = Principal::of(&rows, *components.last()?);
    let labels = Labels::of(training);
    let mut candidates = Vec::new();
    for components in components {
        for &shrinkage in grid.shrinkages {
            let whitening = Whitening { variations: 0, shrinkage };
            let whitened = Whitened::of(whitening, &principal, &labels, components);
            let first = whitened.layer();
            let rows: Option<Vec<_>> =
                held.samples().iter().map(|sample| first.apply(sample.pixels.values())).collect();
            let rows = rows?;
            for width in sizes(grid.widths, components) {
                let second = whitened.discriminant(&labels, width);
                let eer = eer(&second, &rows, held)?;
                candidates.push(Candidate { components, width, shrinkage, steps: 0, eer });
            }
        }
    }
    Some(candidates)
}

/// Trains a head, and measures it. `None` if the images do not suffice for its sizes, if there are no identities, or if the
/// training diverges.
fn trained(config: &Config, training: &Gallery, held: &Gallery) -> Option<Candidate> {
    let NetworkConfig::Head(sizes) = &config.network else { return None };
    if training.listing().is_some() || training.samples().len() <= sizes.components {
        return None;
    }
    let mut learning = Learning::new(config, training);
    while learning.step() < learning.steps() {
        learning.advance();
    }
    Some(Candidate {
        components: sizes.components,
        width: sizes.width,
        shrinkage: config.whitening?.shrinkage,
        steps: learning.steps(),
        eer: learning.eer(held).ok()?,
    })
}

/// Returns the sizes up to `most`, or `most` if all are larger.
fn sizes(sizes: &[usize], most: usize) -> impl Iterator<Item = usize> {
    let within: Vec<_> = sizes.iter().copied().filter(|size| *size <= most).collect();
    let only = within.is_empty().then_some(most).filter(|most| 0 < *most);
    within.into_iter().chain(only)
}

/// Returns the equal error rate on all pairs of a gallery, or the listed ones; `None` if there are none of one kind. `rows` are
/// the inputs of the layer.
fn eer(layer: &Layer, rows: &[Vec<f32>], gallery: &Gallery) -> Option<f64> {
    let embedding =
        |row: &Vec<f32>| Embedding::new(layer.apply(row)?).and_then(Embedding::into_unit).ok();
    let embeddings: Vec<Embedding> = rows.iter().map(embedding).collect::<Option<_>>()?;
    Some(scores(gallery, &embeddings).ok()?.eer())
}

impl Layer {
    /// Returns the outputs for a row of inputs; `None` if one is not finite.
    fn apply(&self, inputs: &[f32]) -> Option<Vec<f32>> {
        let width = self.bias.len();
        let mut outputs = self.bias.clone();
        for (value, weights) in inputs.iter().zip(self.weights.chunks_exact(width)) {
            for (output, weight) in outputs.iter_mut().zip(weights) {
                *output += value * weight;
            }
        }
        outputs.iter().all(|output| output.is_finite()).then_some(outputs)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn count(of: usize) -> f64 {
    of as f64
}
