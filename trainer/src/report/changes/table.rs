//! The evaluation of a list of changes as text.

use std::fmt::{Display, Formatter};

use super::super::html::percent;
use super::words::sentences;
use crate::evaluate::changes::{AtThreshold, ChangeEvaluation, WithInterval};
use crate::statistics::Interval;

/// Writes an evaluation of a list of changes as a table.
#[derive(Clone, Copy, Debug)]
pub struct ChangeTable<'a>(pub &'a ChangeEvaluation);

impl Display for ChangeTable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self(evaluation) = self;
        let ChangeEvaluation { measures, band, bootstrap, recall, precision, .. } = evaluation;
        writeln!(f, "{}\n", evaluation.headline())?;
        let has_intervals = band.is_some();
        row(f, "", "measured", if has_intervals { "95 % interval" } else { "" })?;
        let numbers = |Interval { low, high }: Interval| format!("{low:.4} – {high:.4}");
        let percents = |Interval { low, high }: Interval| {
            format!("{:.2} – {:.2} %", 100.0 * low, 100.0 * high)
        };
        let auc = band.as_ref().map(|band| numbers(band.auc)).unwrap_or_default();
        row(f, "AUC of cells", &format!("{:.4}", measures.auc), &auc)?;
        let eer = band.as_ref().map(|band| percents(band.eer)).unwrap_or_default();
        row(f, "EER of cells", &percent(measures.eer), &eer)?;
        for (name, figure) in [("recall", recall), ("precision", precision)] {
            if let Some(WithInterval { value, interval }) = figure {
                row(f, name, &percent(*value), &interval.map(percents).unwrap_or_default())?;
            }
        }
        if let Some(WithInterval { value, interval }) = evaluation.false_per_unchanged {
            let interval = interval.map(numbers).unwrap_or_default();
            row(f, "false regions", &format!("{value:.4}"), &interval)?;
        }
        writeln!(f)?;
        for sentence in sentences(evaluation) {
            writeln!(f, "{sentence}")?;
        }
        writeln!(f, "\nthreshold  missed cells  false alarms  recall    precision  false regions")?;
        for AtThreshold { threshold, cells, detection } in &evaluation.points {
            let or_none = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
            let regions = detection.false_per_unchanged();
            let line = format!(
                "{:<9.4}  {:<12}  {:<12}  {:<8}  {:<9}  {}",
                threshold.get(),
                percent(cells.fmr),
                percent(cells.fnmr),
                or_none(detection.recall()),
                or_none(detection.precision()),
                regions.map_or_else(|| "–".to_owned(), |regions| format!("{regions:.3}")),
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(
            f,
            "Recall: found changes among all; precision: right regions among all; false regions: in an unchanged pair"
        )?;
        if has_intervals {
            let (resamples, seed) = (bootstrap.resamples, bootstrap.seed);
            writeln!(f, "Intervals: {resamples} resamples of the components, seed {seed}")?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, name: &str, value: &str, interval: &str) -> std::fmt::Result {
    let line = format!("  {name:<18}{value:>10}    {interval}");
    writeln!(f, "{}", line.trim_end())
}
