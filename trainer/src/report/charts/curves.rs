//! The ROC and DET curves.

use siamese_core::score::Rates;
use siamese_drawing::{Axis, Chart, Place, Scale, Svg, Symbol, percent};

use crate::evaluate::Evaluation;
use crate::statistics::Comparisons;

/// The style classes of the lines, bands and marks of up to two models.
const LOOKS: [[&str; 3]; 2] = [["curve", "band", "mark"], ["second", "band-second", "mark-second"]];

/// Draws the ROC curve of one model, or of two models on the same images: the share of same pairs called same (TMR) over
/// the FMR. The FMR axis is logarithmic, because small FMRs matter most.
pub(in crate::report) fn roc(evaluations: &[&Evaluation]) -> Svg {
    const TENTHS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    const POWERS: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];
    let one_pair = evaluations[0].smallest_fmr() / 3.0;
    let least = 10_f64.powf(one_pair.log10().floor()).clamp(1e-6, 1e-2);
    let x = Axis::of_rates("FMR: different pairs called same", Scale::Log, [least, 1.0], &POWERS);
    let y = Axis::of_rates("TMR: same pairs called same", Scale::Linear, [0.0, 1.0], &TENTHS);
    let mut chart = Chart::new("ROC", &headline(evaluations), x, y);
    draw(&mut chart, evaluations, least, |fnmr| 1.0 - fnmr);
    chart.legend(&legend(evaluations));
    chart.finish()
}

/// Draws the DET curve of one model, or of two models on the same images: the FNMR over the FMR.
///
/// The axes follow the normal distribution (A. Martin et al., *The DET curve in assessment of detection task
/// performance*, 1997): normally distributed distances give a straight line, and small errors are easy to read.
pub(in crate::report) fn det(evaluations: &[&Evaluation]) -> Svg {
    const TICKS: [f64; 13] =
        [1e-5, 1e-4, 1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
    const GREATEST: f64 = 0.9;
    let [down, left] = [evaluations[0].same_pairs(), evaluations[0].different_pairs()]
        .map(|pairs| (0.5 / f64::from(u32::try_from(pairs).unwrap_or(u32::MAX))).clamp(5e-6, 0.01));
    let x =
        Axis::of_rates("FMR: different pairs called same", Scale::Probit, [left, GREATEST], &TICKS);
    let y = Axis::of_rates(
        "FNMR: same pairs called different",
        Scale::Probit,
        [down, GREATEST],
        &TICKS,
    );
    let mut chart = Chart::new("DET", &headline(evaluations), x, y);
    let low = left.max(down);
    chart.curve("guide", &[(low, low), (GREATEST, GREATEST)]);
    draw(&mut chart, evaluations, left, |fnmr| fnmr);
    chart.legend(&legend(evaluations));
    chart.finish()
}

fn headline(evaluations: &[&Evaluation]) -> String {
    evaluations.iter().map(|evaluation| evaluation.headline()).collect::<Vec<_>>().join("; ")
}

/// Draws the bands, the curves and the marks; `shown` converts an FNMR to the value of the y axis.
fn draw(chart: &mut Chart, evaluations: &[&Evaluation], least: f64, shown: impl Fn(f64) -> f64) {
    for (evaluation, [_, look, _]) in evaluations.iter().zip(LOOKS) {
        let Some(band) = &evaluation.band else { continue };
        let within = || {
            let grid = evaluation.grid.rates().iter().zip(&band.fnmr_at);
            grid.filter(|(fmr, _)| least <= **fmr)
        };
        let low = within().map(|(fmr, it)| (*fmr, shown(it.low)));
        let high = within().map(|(fmr, it)| (*fmr, shown(it.high)));
        let corners: Vec<_> = low.chain(high.rev()).collect();
        chart.area(look, &corners);
    }
    let supported = evaluations[0].smallest_fmr();
    if least < supported && supported < 0.5 {
        chart.curve("guide", &[(supported, 0.0), (supported, 1.0)]);
    }
    for (evaluation, [look, _, _]) in evaluations.iter().zip(LOOKS) {
        let staircase: Vec<_> =
            staircase(&evaluation.comparisons).into_iter().map(|(x, y)| (x, shown(y))).collect();
        chart.curve(look, &staircase);
    }
    for (evaluation, [_, _, look]) in evaluations.iter().zip(LOOKS) {
        let eer = evaluation.measures.eer;
        chart.mark(look, (eer, shown(eer)));
        let Rates { fmr, fnmr } = evaluation.rates;
        chart.mark("mark-threshold", (fmr, shown(fnmr)));
    }
}

fn legend(evaluations: &[&Evaluation]) -> Vec<(Symbol, String)> {
    let mut lines = match evaluations {
        [alone] => of_one(alone),
        several => of_several(several),
    };
    lines.push((Symbol::Line("guide"), "smallest measurable FMR".to_owned()));
    lines
}

fn of_one(evaluation: &Evaluation) -> Vec<(Symbol, String)> {
    let threshold = evaluation.threshold.get();
    let Rates { fmr, fnmr } = evaluation.rates;
    let mut lines = vec![(Symbol::Line("curve"), "measured".to_owned())];
    if evaluation.band.is_some() {
        let unit = evaluation.comparisons.unit().plural();
        lines.push((Symbol::Area("band"), format!("95 % over {unit}")));
    }
    lines.push((Symbol::Mark("mark"), eer(evaluation)));
    lines.push((
        Symbol::Mark("mark-threshold"),
        format!("threshold {threshold:.3}: FMR {}, FNMR {}", percent(fmr), percent(fnmr)),
    ));
    lines
}

fn of_several(evaluations: &[&Evaluation]) -> Vec<(Symbol, String)> {
    let named = evaluations.iter().zip(["A", "B"]).zip(LOOKS);
    let mut lines: Vec<_> = named
        .map(|((it, letter), [look, _, _])| (Symbol::Line(look), format!("{letter}: {}", eer(it))))
        .collect();
    lines.push((Symbol::Mark("mark-threshold"), "at the thresholds in use".to_owned()));
    lines
}

fn eer(evaluation: &Evaluation) -> String {
    let interval = evaluation.band.as_ref().map(|band| band.eer);
    let interval = interval
        .map(|interval| format!(" ({} to {})", percent(interval.low), percent(interval.high)));
    format!("EER {}{}", percent(evaluation.measures.eer), interval.unwrap_or_default())
}

/// Returns (FMR, FNMR) at every threshold, with the corners between them.
fn staircase(comparisons: &Comparisons) -> Vec<Place> {
    let mut points = vec![(0.0, 1.0)];
    for rates in comparisons.rates() {
        let (_, before) = points[points.len() - 1];
        points.push((rates.fmr, before));
        points.push((rates.fmr, rates.fnmr));
    }
    points
}
