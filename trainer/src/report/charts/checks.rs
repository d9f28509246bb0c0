//! Charts of reliability, of promised and realised FMRs, and of the training loss.

use siamese_drawing::{Axis, Chart, Scale, Svg, Symbol, number, percent};

use crate::evaluate::ProbabilityCheck;
use crate::learn::history::Entry;
use crate::statistics::{Unit, Unseen};

/// Draws the observed share of same pairs over the stated probability; they agree on the diagonal.
pub(in crate::report) fn reliability(check: &ProbabilityCheck, unit: Unit) -> Svg {
    const TENTHS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    let axis = |label| Axis::of_rates(label, Scale::Linear, [0.0, 1.0], &TENTHS);
    let mut chart = Chart::new(
        "Reliability",
        "The share of same pairs for each stated probability",
        axis("stated probability of same"),
        axis("observed share of same pairs, at equal priors"),
    );
    chart.curve("guide", &[(0.0, 0.0), (1.0, 1.0)]);
    let line: Vec<_> = check.bins.iter().map(|bin| (bin.stated, bin.seen)).collect();
    chart.curve("curve", &line);
    for bin in &check.bins {
        if let Some(interval) = bin.interval {
            chart.curve("whisker", &[(bin.stated, interval.low), (bin.stated, interval.high)]);
        }
        chart.mark("mark", (bin.stated, bin.seen));
    }
    let lines = [
        (Symbol::Mark("mark"), format!("observed, 95 % over {}", unit.plural())),
        (Symbol::Line("guide"), "perfect agreement".to_owned()),
    ];
    chart.legend(&lines);
    chart.finish()
}

/// Draws the realised FMRs over the promised FMRs; they are equal on the diagonal.
pub(in crate::report) fn promises(unseen: &Unseen) -> Svg {
    const TICKS: [f64; 9] = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0];
    let least = 3e-4;
    let axis = |label| Axis::of_rates(label, Scale::Log, [least, 1.0], &TICKS);
    let mut chart = Chart::new(
        "False matches, promised and realised",
        &format!("On {} that the threshold was not chosen on", unseen.unit.plural()),
        axis("FMR promised"),
        axis("FMR realised"),
    );
    chart.curve("guide", &[(least, least), (1.0, 1.0)]);
    for it in &unseen.promises {
        let promised = it.promised.fmr.max(least);
        if let Some(interval) = it.fmr_interval {
            let [low, high] = [interval.low, interval.high].map(|rate| rate.max(least));
            chart.curve("whisker", &[(promised, low), (promised, high)]);
        }
        chart.mark("mark", (promised, it.realised.fmr));
    }
    let lines = [
        (Symbol::Mark("mark"), format!("realised, 95 % over {}", unseen.unit.plural())),
        (Symbol::Line("guide"), "equal".to_owned()),
    ];
    chart.legend(&lines);
    chart.finish()
}

/// Draws the loss over the steps, the loss of a network that has learned nothing, and the measured EERs; `None` if there
/// are fewer than two entries.
pub(in crate::report) fn training(history: &[Entry]) -> Option<Svg> {
    let last = history.last().filter(|_| 1 < history.len())?;
    let floor = last.floor;
    let greatest =
        history.iter().map(|entry| entry.loss).filter(|loss| loss.is_finite()).fold(0.0, f64::max);
    let greatest = greatest.max(floor.unwrap_or_default());
    let number = |value| number(value, 3);
    let steps = f64::from(last.step);
    let mut chart = Chart::new(
        "Training",
        "The loss by step",
        Axis::linear("step", steps, number),
        Axis::linear("loss; EER as a share", (greatest * 1.1).max(1e-9), number),
    );
    if let Some(floor) = floor {
        chart.curve("guide", &[(0.0, floor), (steps, floor)]);
    }
    let loss: Vec<_> = history.iter().map(|entry| (f64::from(entry.step), entry.loss)).collect();
    chart.curve("curve", &loss);
    let eer: Vec<_> =
        history.iter().filter_map(|entry| Some((f64::from(entry.step), entry.eer?))).collect();
    chart.curve("second", &eer);
    let mut lines =
        vec![(Symbol::Line("curve"), format!("loss, {} at the end", number(last.loss)))];
    if let Some((_, eer)) = eer.last() {
        lines.push((Symbol::Line("second"), format!("EER, {} at the end", percent(*eer))));
    }
    if let Some(floor) = floor {
        lines.push((Symbol::Line("guide"), format!("learned nothing: {}", number(floor))));
    }
    chart.legend(&lines);
    Some(chart.finish())
}
