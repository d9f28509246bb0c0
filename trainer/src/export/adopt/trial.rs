//! The trial of other preprocessings on the user's pairs.
//!
//! A network with the wrong preprocessing still gives embeddings, but worse ones. The trial varies one aspect at a time,
//! and continues with the best alternative of each. It does so even if the gain is small, because several wrong aspects
//! can hide each other. Only the final combination is tested for significance.

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::Model;

use super::usage::Alternatives;
use super::{AdoptError, Fitted, Outputs, Usage};
use crate::data::Gallery;
use crate::evaluate::compare;
use crate::statistics::{Bootstrap, Comparisons, Difference, Differences, Grid, Measures, Unit};

/// The resampling of the significance test. The number of resamples suffices for 5 % divided by the number of trials.
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 4000, seed: 0 };
/// The significance level of all trials together.
const SIGNIFICANCE: f64 = 0.05;

/// A usage and its EER.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The usage.
    pub usage: Usage,
    /// The EER in [0, 1]; `None` if the network gave no embeddings.
    pub eer: Option<f64>,
}

/// The result of the trial.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// The requested usage, then the others.
    pub trials: Vec<Trial>,
    /// The usage that is significantly better, with the difference of its EER.
    pub better: Option<(Trial, Difference)>,
    /// The number of images.
    pub n_images: u32,
    /// The number of identities or components.
    pub n_identities: usize,
    /// Whether they are identities or components.
    pub unit: Unit,
}

/// Tries alternatives to the `requested` usage in some `aspects`.
///
/// # Errors
///
/// If the network fails with the requested usage.
pub(super) fn try_others(
    outputs: &mut Outputs<'_, impl Model>,
    images: &Gallery<Fitted>,
    requested: &Usage,
    aspects: &[Alternatives],
) -> Result<TrialResult, AdoptError> {
    let style = ProgressStyle::with_template("trying other preprocessings {wide_bar} {pos}/{len}")
        .expect("a template that indicatif knows");
    let n_alternatives = aspects.iter().map(|alternatives| alternatives(requested).len() - 1);
    let n_trials: usize = 1 + n_alternatives.sum::<usize>();
    let bar = ProgressBar::new(n_trials.try_into().unwrap_or(u64::MAX)).with_style(style);
    let mut comparisons = |usage: &Usage| -> Result<Comparisons, AdoptError> {
        let embeddings = outputs.under(usage, images, &ProgressBar::hidden())?;
        Ok(compare(images, embeddings)?)
    };
    let first = comparisons(requested)?;
    let mut trials = vec![Trial { usage: requested.clone(), eer: Some(eer(&first)) }];
    let mut best = (requested.clone(), first.clone());
    bar.inc(1);
    for alternatives in aspects {
        let mut found: Option<(Usage, Comparisons, f64)> = None;
        let lowest = eer(&best.1);
        for usage in alternatives(&best.0).into_iter().filter(|usage| *usage != best.0) {
            bar.inc(1);
            let comparisons = comparisons(&usage).ok();
            let rate = comparisons.as_ref().map(eer);
            trials.push(Trial { usage: usage.clone(), eer: rate });
            if let (Some(comparisons), Some(rate)) = (comparisons, rate)
                && rate < found.as_ref().map_or(lowest, |found| found.2)
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
        .map(|difference| (Trial { usage: best.0, eer: Some(eer(&best.1)) }, difference));
    Ok(TrialResult {
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

/// Returns the difference of the EERs if `second` is significantly better than `first`. `second` is the best of
/// `n_trials`, so the significance level is divided by their number (Bonferroni).
fn difference(first: &Comparisons, second: &Comparisons, n_trials: usize) -> Option<Difference> {
    if eer(first) <= eer(second) {
        return None;
    }
    let grid = Grid::new([]);
    let found = Differences::between((first, &grid), (second, &grid), BOOTSTRAP)?.eer;
    let tries = f64::from(u32::try_from(n_trials).unwrap_or(u32::MAX));
    (found.value < 0.0 && found.p_value * tries < SIGNIFICANCE).then_some(found)
}
