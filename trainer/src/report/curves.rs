//! ROC and DET.

use siamese::score::Rates;

use super::axis::{Axis, Scale, percent};
use super::chart::{Chart, Corner, Symbol};
use super::svg::{Place, Svg};
use crate::evaluate::Evaluation;
use crate::statistics::Comparisons;

/// The share of same pairs called same over the FMR, which stands on a logarithmic axis because
/// what matters happens at small ones.
pub(super) fn roc(evaluation: &Evaluation) -> Svg {
    const TENTHS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    const POWERS: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];
    let one_pair = evaluation.smallest_fmr() / 3.0;
    let least = 10_f64.powf(one_pair.log10().floor()).clamp(1e-6, 1e-2);
    let x = Axis::of_rates("FMR: different pairs called same", Scale::Log, [least, 1.0], &POWERS);
    let y = Axis::of_rates("TMR: same pairs called same", Scale::Linear, [0.0, 1.0], &TENTHS);
    let mut chart = Chart::new("ROC", &evaluation.headline(), x, y);
    draw(&mut chart, evaluation, least, |fnmr| 1.0 - fnmr);
    chart.legend(Corner::BottomRight, &legend(evaluation));
    chart.finish()
}

/// FNMR over FMR on axes of the normal distribution (A. Martin et al., *The DET curve in assessment
/// of detection task performance*, 1997): normal distances make a straight line, and both small
/// errors have room.
pub(super) fn det(evaluation: &Evaluation) -> Svg {
    const TICKS: [f64; 13] =
        [1e-5, 1e-4, 1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
    const GREATEST: f64 = 0.9;
    let [down, left] = [evaluation.same_pairs(), evaluation.different_pairs()]
        .map(|pairs| (0.5 / f64::from(u32::try_from(pairs).unwrap_or(u32::MAX))).clamp(5e-6, 0.01));
    let x =
        Axis::of_rates("FMR: different pairs called same", Scale::Probit, [left, GREATEST], &TICKS);
    let y = Axis::of_rates(
        "FNMR: same pairs called different",
        Scale::Probit,
        [down, GREATEST],
        &TICKS,
    );
    let mut chart = Chart::new("DET", &evaluation.headline(), x, y);
    let low = left.max(down);
    chart.curve("guide", &[(low, low), (GREATEST, GREATEST)]);
    draw(&mut chart, evaluation, left, |fnmr| fnmr);
    // A curve that is no better than this runs through the other corner.
    let corner = if evaluation.measures.eer < 0.2 { Corner::TopRight } else { Corner::BottomLeft };
    chart.legend(corner, &legend(evaluation));
    chart.finish()
}

/// Draws the band, the curve and the marks; `shown` turns an FNMR into what the y axis shows.
fn draw(chart: &mut Chart, evaluation: &Evaluation, least: f64, shown: impl Fn(f64) -> f64) {
    if let Some(band) = &evaluation.band {
        let within = || {
            let grid = evaluation.grid.rates().iter().zip(&band.fnmr_at);
            grid.filter(|(fmr, _)| least <= **fmr)
        };
        let low = within().map(|(fmr, it)| (*fmr, shown(it.low)));
        let high = within().map(|(fmr, it)| (*fmr, shown(it.high)));
        let corners: Vec<_> = low.chain(high.rev()).collect();
        chart.area("band", &corners);
    }
    let supported = evaluation.smallest_fmr();
    if least < supported && supported < 0.5 {
        chart.curve("guide", &[(supported, 0.0), (supported, 1.0)]);
    }
    let staircase: Vec<_> =
        staircase(&evaluation.comparisons).into_iter().map(|(x, y)| (x, shown(y))).collect();
    chart.curve("curve", &staircase);
    let eer = evaluation.measures.eer;
    chart.mark("mark", (eer, shown(eer)));
    let Rates { fmr, fnmr } = evaluation.rates;
    chart.mark("mark-threshold", (fmr, shown(fnmr)));
}

fn legend(evaluation: &Evaluation) -> Vec<(Symbol, String)> {
    let threshold = evaluation.threshold.get();
    let Rates { fmr, fnmr } = evaluation.rates;
    let mut lines = vec![(Symbol::Line("curve"), "measured".to_owned())];
    if evaluation.band.is_some() {
        lines.push((Symbol::Area("band"), "95 % over identities".to_owned()));
    }
    let interval = evaluation.band.as_ref().map(|it| it.eer);
    let interval = interval.map(|it| format!(" ({} to {})", percent(it.low), percent(it.high)));
    let eer = percent(evaluation.measures.eer);
    let eer = format!("EER {eer}{}", interval.unwrap_or_default());
    lines.push((Symbol::Mark("mark"), eer));
    lines.push((
        Symbol::Mark("mark-threshold"),
        format!("threshold {threshold:.3}: FMR {}, FNMR {}", percent(fmr), percent(fnmr)),
    ));
    lines.push((Symbol::Line("guide"), "3 / different pairs".to_owned()));
    lines
}

/// (FMR, FNMR) at every threshold, with the corners between.
fn staircase(comparisons: &Comparisons) -> Vec<Place> {
    let mut points = vec![(0.0, 1.0)];
    for rates in comparisons.rates() {
        let (_, before) = points[points.len() - 1];
        points.push((rates.fmr, before));
        points.push((rates.fmr, rates.fnmr));
    }
    points
}
