//! The histogram of the distances of same and different pairs.

use siamese_core::score::{Distance, Rates};
use siamese_drawing::{Axis, Chart, Place, Svg, Symbol, number, percent};

use crate::evaluate::Evaluation;
use crate::statistics::real;

const BINS: usize = 60;
/// The height of the frame relative to the highest bar.
const HEADROOM: f64 = 1.05;

/// Draws both histograms, each as shares of its own pairs, and the threshold.
pub(in crate::report) fn histogram(evaluation: &Evaluation, title: &str) -> Svg {
    let [same, different] = evaluation.comparisons.distances();
    let greatest = same.iter().chain(&different).map(|distance| distance.get()).fold(0.0, f64::max);
    // A margin far above all distances would compress the chart.
    let margin = evaluation.margin.filter(|margin| *margin <= 1.4 * greatest);
    let end = greatest
        .max(margin.unwrap_or_default())
        .max(evaluation.threshold.get().min(2.0 * greatest));
    let end = if 0.0 < end { end * 1.02 } else { 1.0 };
    let [same, different] = [same, different].map(|side| shares(&side, end));
    let highest = same.iter().chain(&different).copied().fold(0.0, f64::max);

    let x = Axis::linear("distance", end, |value| number(value, 6));
    let y = Axis::linear("share of same or different pairs", highest * HEADROOM, percent);
    let mut chart = Chart::new(title, &evaluation.headline(), x, y);
    chart.area("different", &outline(&different, end));
    chart.area("same", &outline(&same, end));
    let Rates { fmr, fnmr } = evaluation.rates;
    let threshold = evaluation.threshold.get();
    if let Some(margin) = margin {
        chart.upright("guide", margin, "");
    }
    chart.upright("threshold", threshold, "");
    let mut lines = vec![
        (Symbol::Area("same"), format!("same: {} called different", percent(fnmr))),
        (Symbol::Area("different"), format!("different: {} called same", percent(fmr))),
        (
            Symbol::Line("threshold"),
            format!("threshold {threshold:.3} {}", evaluation.threshold_source),
        ),
    ];
    if let Some(margin) = margin {
        lines.push((Symbol::Line("guide"), format!("margin {margin}")));
    }
    chart.legend(&lines);
    chart.finish()
}

/// Returns the share of the distances in each of [`BINS`] equal bins from 0 to `end`.
fn shares(distances: &[Distance], end: f64) -> Vec<f64> {
    let mut counts = vec![0_u32; BINS];
    for distance in distances {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 0, and cut off at the last bin"
        )]
        let bin = (distance.get() / end * real(BINS)) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    counts.iter().map(|count| f64::from(*count) / real(distances.len())).collect()
}

/// Returns the outline of adjacent bars.
fn outline(shares: &[f64], end: f64) -> Vec<Place> {
    let edge = |bin: usize| end * real(bin) / real(BINS);
    let bars = shares.iter().enumerate();
    let bars = bars.flat_map(|(bin, share)| [(edge(bin), *share), (edge(bin + 1), *share)]);
    [(0.0, 0.0)].into_iter().chain(bars).chain([(end, 0.0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_all_bins_make_the_whole() {
        let distances: Vec<_> = [0.0, 0.5, 0.99, 1.0]
            .iter()
            .map(|value| Distance::try_from(*value).expect("one"))
            .collect();
        let shares = shares(&distances, 1.0);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shares[BINS - 1] - 0.5).abs() < 1e-12 && (shares[BINS / 2] - 0.25).abs() < 1e-12);
    }
}
