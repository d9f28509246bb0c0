//! What else the images may have been preprocessed by: tried out on somebody's own pairs.
//!
//! A network that is fed otherwise than in its training still answers, only worse. Each thing that
//! could have been said otherwise is varied by itself, and the next from the best of it: several wrong
//! guesses hide each other, so that one put right may gain little. Only where all of them end is
//! held against chance.

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::Model;

use super::usage::THINGS;
use super::{AdoptError, Fitted, Outputs, Usage};
use crate::data::Gallery;
use crate::evaluate::compare;
use crate::statistics::{Bootstrap, Comparisons, Difference, Differences, Grid, Measures, Unit};

/// How often identities are resampled to tell a difference from chance: often enough for the
/// share that is left of 5 % when it is divided among all trials.
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 4000, seed: 0 };
/// What is called chance.
const CHANCE: f64 = 0.05;

/// One usage, and how well it told the pairs apart.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The usage.
    pub usage: Usage,
    /// The EER in [0, 1]; `None` where the network gave no embeddings.
    pub eer: Option<f64>,
}

/// What came of trying.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The usage asked for, then the others.
    pub trials: Vec<Trial>,
    /// The usage that is better beyond chance, with the difference of its EER.
    pub better: Option<(Trial, Difference)>,
    /// On how many images they were tried.
    pub n_images: u32,
    /// Of how many identities, or components.
    pub n_identities: usize,
    /// Which of the two.
    pub unit: Unit,
}

/// Tries what `asked` could have been instead.
///
/// # Errors
///
/// If the network does not run on what was asked for.
pub(super) fn try_others(
    outputs: &mut Outputs<'_, impl Model>,
    images: &Gallery<Fitted>,
    asked: &Usage,
) -> Result<Verdict, AdoptError> {
    let style = ProgressStyle::with_template("trying other preprocessings {wide_bar} {pos}/{len}")
        .expect("a template that indicatif knows");
    let n_trials: usize = 1 + THINGS.iter().map(|it| it(asked).len() - 1).sum::<usize>();
    let bar = ProgressBar::new(n_trials.try_into().unwrap_or(u64::MAX)).with_style(style);
    let mut comparisons = |usage: &Usage| -> Result<Comparisons, AdoptError> {
        let embeddings = outputs.under(usage, images, &ProgressBar::hidden())?;
        Ok(compare(images, embeddings)?)
    };
    let first = comparisons(asked)?;
    let mut trials = vec![Trial { usage: asked.clone(), eer: Some(eer(&first)) }];
    let mut best = (asked.clone(), first.clone());
    bar.inc(1);
    for others in THINGS {
        let mut found: Option<(Usage, Comparisons, f64)> = None;
        let standing = eer(&best.1);
        for usage in others(&best.0).into_iter().filter(|it| *it != best.0) {
            bar.inc(1);
            let comparisons = comparisons(&usage).ok();
            let rate = comparisons.as_ref().map(eer);
            trials.push(Trial { usage: usage.clone(), eer: rate });
            if let (Some(comparisons), Some(rate)) = (comparisons, rate)
                && rate < found.as_ref().map_or(standing, |it| it.2)
            {
                found = Some((usage, comparisons, rate));
            }
        }
        if let Some((usage, comparisons, _)) = found {
            best = (usage, comparisons);
        }
    }
    bar.finish_and_clear();
    let better = difference(&first, &best.1, n_trials)
        .map(|it| (Trial { usage: best.0, eer: Some(eer(&best.1)) }, it));
    Ok(Verdict {
        trials,
        better,
        n_images: first.images().iter().sum(),
        n_identities: first.identities(),
        unit: first.unit(),
    })
}

fn eer(comparisons: &Comparisons) -> f64 {
    Measures::of(comparisons, &Grid::new([])).eer
}

/// By how much `second` is better than `first`, where that is unlikely to be chance though it is the
/// best of so many (Bonferroni: what is called chance is divided among them).
fn difference(first: &Comparisons, second: &Comparisons, n_trials: usize) -> Option<Difference> {
    if eer(first) <= eer(second) {
        return None;
    }
    let grid = Grid::new([]);
    let found = Differences::between((first, &grid), (second, &grid), BOOTSTRAP)?.eer;
    let tries = f64::from(u32::try_from(n_trials).unwrap_or(u32::MAX));
    (found.value < 0.0 && found.p_value * tries < CHANCE).then_some(found)
}
