//! The distances of the cells of all pairs of a list.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use siamese_core::changes::{Distances, Placement};
use siamese_core::model::{Description, OnnxModel};
use siamese_core::score::{Distance, Threshold};
use thiserror::Error;

use super::Detection;
use super::prepared::{ModelFailed, Prepared};
use crate::data::{CellTruth, ChangePair, Collection, Shift, Truth, digest_text, listed};
use crate::evaluate::TrainingOverlap;
use crate::statistics::{Comparisons, EvenSample, NotComparable};

/// The most unchanged cells that are compared with changed ones. An even sample of more is as exact.
const MOST_CELLS: usize = 2_000_000;

/// How pairs are measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measuring {
    /// How far the first image of each pair is shifted; `None` takes the images as they are.
    pub shift: Option<Shift>,
    /// Whether pairs that cannot be compared are left out. If not, they are an error.
    pub skip_unreadable: bool,
}

/// A pair with the distances of its cells.
#[derive(Clone, Debug)]
pub struct MeasuredPair {
    /// The pair, as the list states it.
    pub pair: ChangePair,
    /// Its index in the list.
    pub index: usize,
    /// What is known of it.
    pub truth: Truth,
    /// The distances of its cells.
    pub distances: Distances,
    /// How its images were aligned.
    pub alignment: Placement,
}

/// All pairs of a list with the distances of their cells.
#[derive(Clone, Debug)]
pub struct MeasuredChanges {
    /// The model.
    pub model: Arc<Description>,
    /// The name of the list.
    pub data: String,
    /// `sha256:` and the hex digest over all files, in the order of the list.
    pub digest: String,
    /// The names of the components.
    pub components: Vec<String>,
    /// Whether options or the list selected the pairs among others.
    pub is_part: bool,
    /// The pairs, in the order of the list.
    pub pairs: Vec<MeasuredPair>,
    /// The pairs that were left out, each with the reason.
    pub skipped: Vec<String>,
    /// How the pairs were measured.
    pub measuring: Measuring,
}

/// Pairs could not be measured.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The model aligns faces.
    #[error(
        "the model aligns faces, so it can't compare images place by place: give another model"
    )]
    AlignsFaces,
    /// Pairs cannot be compared.
    #[error(
        "pairs cannot be compared: {}; correct or remove them, or pass --skip-unreadable",
        listed(.0)
    )]
    NotCompared(Vec<String>),
    /// The model fails on a pair.
    #[error("the model fails on {pair}")]
    Failed {
        /// The names of its images.
        pair: String,
        /// What is wrong.
        #[source]
        cause: ModelFailed,
    },
}

/// All cells are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OneKindOfCells {
    /// There is no unchanged cell.
    #[error(
        "the list has no unchanged cell to measure false alarms on: add unchanged pairs, with an empty value"
    )]
    Changed,
    /// There is no changed cell.
    #[error("the list has no changed cell: add pairs with boxes or a mask")]
    Unchanged,
}

impl From<NotComparable> for OneKindOfCells {
    fn from(cause: NotComparable) -> Self {
        match cause {
            NotComparable::NoDifferentPairs => Self::Unchanged,
            NotComparable::NoSamePairs | NotComparable::TooFewIdentities(_) => Self::Changed,
        }
    }
}

impl MeasuredChanges {
    /// Aligns each pair as the server does by default, and runs the model on it. Shows the progress on a terminal.
    ///
    /// Only the distances stay in memory.
    pub fn of(
        model: &mut OnnxModel,
        images: &Collection,
        pairs: &[ChangePair],
        measuring: Measuring,
    ) -> Result<Self, MeasureError> {
        let description = model.description().clone();
        if description.preprocessor.aligns() {
            return Err(MeasureError::AlignsFaces);
        }
        let bar = bar(pairs.len());
        let mut measured = Vec::with_capacity(pairs.len());
        let mut skipped = Vec::new();
        let mut digest = Sha256::new();
        let numbered: Vec<(usize, &ChangePair)> = pairs.iter().enumerate().collect();
        for some in numbered.chunks(at_once()) {
            let read = |(index, pair): &(usize, &ChangePair)| {
                Prepared::read(pair, *index, images.root(), &description, measuring.shift)
            };
            let prepared: Vec<_> = some.par_iter().map(read).collect();
            for ((index, pair), prepared) in some.iter().zip(prepared) {
                match prepared {
                    Err(why) => skipped.push(format!("{} ({why})", name(pair))),
                    Ok(prepared) => {
                        digest.update(prepared.0.digest);
                        measured.push(MeasuredPair::run(pair, *index, prepared, model)?);
                    }
                }
                bar.inc(1);
            }
            if !measuring.skip_unreadable && !skipped.is_empty() {
                return Err(MeasureError::NotCompared(skipped));
            }
        }
        bar.finish_and_clear();
        let names = images.identities().iter().map(|component| component.name.clone());
        Ok(Self {
            model: description,
            data: images.name().to_owned(),
            digest: digest_text(digest.finalize()),
            components: names.collect(),
            is_part: images.is_part(),
            pairs: measured,
            skipped,
            measuring,
        })
    }

    /// Returns the cells of all pairs: unchanged ones are same pairs, and changed ones different pairs. Of more than two
    /// million unchanged cells, it takes an even sample.
    pub fn cells(&self) -> Result<Comparisons, OneKindOfCells> {
        let cells = || {
            self.pairs.iter().flat_map(|pair| {
                let values = pair.distances.values().iter().zip(pair.truth.cells());
                values.map(|(value, truth)| (pair.pair.component, *value, *truth))
            })
        };
        let unchanged = cells().filter(|(.., truth)| *truth == CellTruth::Unchanged).count();
        let mut sample = EvenSample::new(MOST_CELLS, unchanged);
        let taken = cells().filter_map(|(component, value, truth)| {
            let is_same = match truth {
                CellTruth::Changed => false,
                CellTruth::Unchanged => sample.takes(),
                CellTruth::Unknown => return None,
            };
            (truth == CellTruth::Changed || is_same).then_some((
                component,
                distance(value.into()),
                is_same,
            ))
        });
        Ok(Comparisons::measured(self.components.len(), taken)?)
    }

    /// Returns what a threshold finds in the pairs of each component.
    pub fn detections(&self, threshold: Threshold) -> Vec<Detection> {
        let mut detections = vec![Detection::default(); self.components.len()];
        for pair in &self.pairs {
            detections[pair.pair.component as usize] += pair.detection(threshold);
        }
        detections
    }

    /// Tells whether the model was trained on these pairs, if it is known.
    pub fn training(&self) -> TrainingOverlap {
        TrainingOverlap::of(self.model.card.provenance.as_ref(), &self.data, &self.components)
    }
}

impl MeasuredPair {
    fn run(
        pair: &ChangePair,
        index: usize,
        prepared: Prepared,
        model: &mut OnnxModel,
    ) -> Result<Self, MeasureError> {
        let failed = |cause| MeasureError::Failed { pair: name(pair), cause };
        let (compared, truth) = prepared.compared(model).map_err(failed)?;
        let (alignment, distances) = (compared.alignment, compared.distances);
        Ok(Self { pair: pair.clone(), index, truth, distances, alignment })
    }

    /// Returns whether nothing has changed.
    pub fn is_unchanged(&self) -> bool {
        self.truth.boxes().is_empty()
    }
}

/// A distance of the core, as a distance of pairs.
pub(super) fn distance(value: f64) -> Distance {
    Distance::try_from(value).expect("the distances of maps are finite and not negative")
}

fn name(pair: &ChangePair) -> String {
    pair.names().join(" and ")
}

/// The pairs that are prepared at once: one for each core, because each takes some 100 MB.
fn at_once() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn bar(n_pairs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("comparing {wide_bar} {pos}/{len}, {eta} left")
        .expect("a template that indicatif knows");
    ProgressBar::new(n_pairs.try_into().unwrap_or(u64::MAX)).with_style(style)
}
