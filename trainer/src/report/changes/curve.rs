//! The curve of false alarms against missed cells.

use siamese_core::score::Rates;
use siamese_drawing::{Axis, Chart, Place, Scale, Svg, Symbol, percent};

use crate::evaluate::changes::ChangeEvaluation;

/// The ticks of both axes.
const TICKS: [f64; 11] = [1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];

/// The largest rate on an axis.
const GREATEST: f64 = 0.9;

/// Draws the share of changed cells that are missed over the share of unchanged cells that are false alarms.
///
/// The axes follow the normal distribution, as those of a DET curve.
pub(super) fn curve(evaluation: &ChangeEvaluation) -> Svg {
    let [left, down] = evaluation
        .cell_counts()
        .map(|cells| (0.5 / f64::from(u32::try_from(cells).unwrap_or(u32::MAX))).clamp(5e-6, 0.01));
    let x = Axis::of_rates(
        "false alarms among unchanged cells",
        Scale::Probit,
        [left, GREATEST],
        &TICKS,
    );
    let y = Axis::of_rates("missed among changed cells", Scale::Probit, [down, GREATEST], &TICKS);
    let mut chart = Chart::new("Cells", &evaluation.headline(), x, y);
    let low = left.max(down);
    chart.curve("guide", &[(low, low), (GREATEST, GREATEST)]);
    chart.curve("curve", &outline(evaluation));
    let Rates { fmr, fnmr } = evaluation.in_force().cells;
    chart.mark("mark-threshold", (fnmr, fmr));
    let eer = evaluation.measures.eer;
    chart.mark("mark", (eer, eer));
    chart.legend(&[
        (Symbol::Line("curve"), "measured".to_owned()),
        (Symbol::Mark("mark"), format!("equal errors: {}", percent(eer))),
        (
            Symbol::Mark("mark-threshold"),
            format!(
                "threshold {:.3}: {} false alarms, {} missed",
                evaluation.threshold.get(),
                percent(fnmr),
                percent(fmr)
            ),
        ),
    ]);
    chart.finish()
}

/// Returns the errors at each threshold, without those that would be drawn at the place of the one before.
fn outline(evaluation: &ChangeEvaluation) -> Vec<Place> {
    /// How many times larger or smaller an error must become.
    const CLEARLY: f64 = 1.01;
    let mut places: Vec<Place> = Vec::new();
    for Rates { fmr, fnmr } in evaluation.cells.rates() {
        let differs = |one: f64, other: f64| {
            let (low, high) = (one.min(other), one.max(other));
            CLEARLY * low < high
        };
        let is_new = places.last().is_none_or(|(x, y)| differs(*x, fnmr) || differs(*y, fmr));
        if is_new {
            places.push((fnmr, fmr));
        }
    }
    places
}
