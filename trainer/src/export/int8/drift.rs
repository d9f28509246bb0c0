//! The change of a model's distances caused by quantised weights.

use siamese_core::model::Drift;
use siamese_core::score::{Distance, Threshold};

use crate::evaluate::{Embedded, Subject};
use crate::statistics::{Comparison, Comparisons, NotComparable, real};

/// Compares the distances of all pairs before and after; `split` describes how the identities relate to the training
/// data.
///
/// # Panics
///
/// If the embeddings are not of the same images.
pub(super) fn measure(
    before: &Embedded,
    after: &Embedded,
    threshold: Threshold,
    split: &str,
) -> Result<Drift, NotComparable> {
    let [before_pairs, after_pairs] =
        [before.comparisons()?, after.comparisons()?].map(|comparisons| distances(&comparisons));
    let Moves { median, largest, flipped } = moves(&before_pairs, &after_pairs, threshold);
    let Subject { data, .. } = before.subject();
    Ok(Drift {
        data,
        data_digest: before.gallery().digest().to_owned(),
        split: split.to_owned(),
        pairs: before_pairs.len().try_into().unwrap_or(u64::MAX),
        threshold: threshold.get(),
        median,
        largest,
        median_of_threshold: median / threshold.get(),
        largest_of_threshold: largest / threshold.get(),
        flipped,
    })
}

/// Returns the distances of all pairs, in the order of the images.
fn distances(comparisons: &Comparisons) -> Vec<Distance> {
    let mut pairs: Vec<Comparison> = comparisons.pairs().to_vec();
    pairs.sort_unstable_by_key(|pair| (pair.identities, pair.images));
    pairs.into_iter().map(|pair| pair.distance).collect()
}

struct Moves {
    median: f64,
    largest: f64,
    flipped: f64,
}

/// Returns the median and largest change of at least one distance, and the share of changed verdicts.
fn moves(before: &[Distance], after: &[Distance], threshold: Threshold) -> Moves {
    assert_eq!(before.len(), after.len(), "the same pairs");
    let both = || before.iter().zip(after);
    let mut changes: Vec<f64> = both().map(|(a, b)| (a.get() - b.get()).abs()).collect();
    changes.sort_unstable_by(f64::total_cmp);
    let middle = changes.len() / 2;
    let flips = both().filter(|(a, b)| threshold.judge(**a) != threshold.judge(**b)).count();
    let flipped = real(flips) / real(changes.len());
    Moves {
        median: f64::midpoint(changes[(changes.len() - 1) / 2], changes[middle]),
        largest: changes[changes.len() - 1],
        flipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(f64, f64)], [median, largest, flipped]: [f64; 3]) {
        let distance = |value: f64| Distance::try_from(value).expect("a distance");
        let (before, after): (Vec<_>, Vec<_>) =
            pairs.iter().map(|(a, b)| (distance(*a), distance(*b))).unzip();
        let threshold = Threshold::try_from(1.0).expect("a threshold");
        let found = moves(&before, &after, threshold);
        for (found, expected) in
            [(found.median, median), (found.largest, largest), (found.flipped, flipped)]
        {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn changes_are_absolute_and_verdicts_change_at_the_threshold() {
        check(&[(0.5, 0.75), (2.0, 1.5), (0.25, 0.25)], [0.25, 0.5, 0.0]);
        // A pair exactly at the threshold is called same.
        check(&[(1.0, 1.25), (1.25, 1.0), (0.5, 1.0), (3.0, 2.0)], [0.375, 1.0, 0.5]);
        check(&[(0.9, 1.2)], [0.3, 0.3, 1.0]);
    }
}
