//! The comparison of two models as text.

use std::fmt::{Display, Formatter};

use siamese_core::score::Verdict;

use crate::evaluate::{ContestedPair, SideBySide, Tally};

/// The number of pairs shown for each model.
const SHOWN: usize = 3;

/// Writes a comparison as a table and some lines.
#[derive(Clone, Copy, Debug)]
pub struct TableOfTwo<'a>(pub &'a SideBySide);

impl Display for TableOfTwo<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self(found) = self;
        writeln!(f, "{}", found.headline())?;
        for (letter, it) in ["A", "B"].iter().zip(&found.evaluations) {
            let subject = &it.subject;
            let split = subject.split().map(|split| format!(", {split}"));
            writeln!(
                f,
                "  {letter}: {}, threshold {:.4} {}{}",
                subject.model,
                it.threshold.get(),
                it.threshold_source,
                split.unwrap_or_default()
            )?;
        }
        writeln!(f)?;
        let heading = ["A", "B", "B - A", "95 % interval", "p"];
        line(f, "", heading.map(str::to_owned))?;
        for row in found.rows() {
            let cells = [
                row.value(row.values[0]),
                row.value(row.values[1]),
                row.change(),
                row.interval().unwrap_or_default(),
                row.p_value().unwrap_or_default(),
            ];
            line(f, &row.name, cells)?;
        }
        writeln!(f, "{}\n", found.conclusion())?;
        self.contested(f)?;
        let bootstrap = found.evaluations[0].bootstrap;
        if found.differences.is_some() {
            writeln!(
                f,
                "Intervals and p: {} resamples of the {}, the same for both models, seed {}",
                bootstrap.resamples,
                found.evaluations[0].comparisons.unit().plural(),
                bootstrap.seed
            )?;
        }
        Ok(())
    }
}

impl TableOfTwo<'_> {
    fn contested(self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self(found) = self;
        let contested = &found.contested;
        writeln!(
            f,
            "Different verdicts, each model at its threshold: {} of {} pairs",
            contested.pairs.len(),
            contested.total()
        )?;
        for (name, tally) in [("same", contested.same), ("different", contested.different)] {
            let Tally { pairs, only_a_right, only_b_right, both_wrong } = tally;
            writeln!(
                f,
                "  of {pairs} {name} pairs, only A is right on {only_a_right}, only B on {only_b_right}; both are wrong \
                 on {both_wrong}"
            )?;
        }
        for (model, letter) in ["A", "B"].into_iter().enumerate() {
            for it in contested.correct_only_by(model).take(SHOWN) {
                writeln!(f, "  only {letter} is right: {}", self.pair(&it))?;
            }
        }
        Ok(())
    }

    fn pair(self, it: &ContestedPair) -> String {
        let Self(found) = self;
        let pair = &it.pair;
        let name =
            |side: usize| found.evaluations[0].image_name(pair.identities[side], pair.images[side]);
        let verdict = |model: usize| {
            let threshold = found.evaluations[model].threshold;
            let is_same = threshold.judge(it.distances[model]) == Verdict::Same;
            let sign = if is_same { "≤" } else { ">" };
            format!("{:.3} {sign} {:.3}", it.distances[model].get(), threshold.get())
        };
        let kind = if pair.is_same { "same" } else { "different" };
        format!("{} and {}, {kind}: A {}, B {}", name(0), name(1), verdict(0), verdict(1))
    }
}

fn line(f: &mut Formatter<'_>, name: &str, cells: [String; 5]) -> std::fmt::Result {
    let [a, b, change, interval, p_value] = cells;
    let line = format!("  {name:<22}{a:>10}{b:>10}{change:>10}  {interval:>21}  {p_value:>6}");
    writeln!(f, "{}", line.trim_end())
}
