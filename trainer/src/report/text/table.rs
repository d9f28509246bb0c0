//! The evaluation of one model as text.

use std::fmt::{Display, Formatter};

use super::super::retrieval::{retrieval_note, retrieval_rates};
use super::sections::{OneShotLines, OperatingLines, ProbabilityLines, UnseenLines};
use crate::evaluate::{Evaluation, TABLE_FMRS};
use crate::statistics::{Estimate, Interval};

/// Writes an evaluation as a table and some sections.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a Evaluation);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self(evaluation) = self;
        let Evaluation { measures, band, bootstrap, .. } = evaluation;
        writeln!(f, "{}", evaluation.headline())?;
        writeln!(f)?;
        let heading = if band.is_some() { "95 % interval" } else { "" };
        row(f, "", "measured", heading)?;
        let percents = |interval: &Interval| {
            format!("{:.2} – {:.2} %", 100.0 * interval.low, 100.0 * interval.high)
        };
        let eer = band.as_ref().map(|band| percents(&band.eer)).unwrap_or_default();
        row(f, "EER", &format!("{:.2} %", 100.0 * measures.eer), &eer)?;
        let auc = band.as_ref().map(|band| format!("{:.4} – {:.4}", band.auc.low, band.auc.high));
        row(f, "AUC", &format!("{:.4}", measures.auc), &auc.unwrap_or_default())?;
        for fmr in TABLE_FMRS {
            let index = evaluation.grid_index(fmr);
            let interval =
                band.as_ref().map(|band| percents(&band.fnmr_at[index])).unwrap_or_default();
            let name = format!("FNMR at FMR {} %", 100.0 * fmr);
            let unsupported = if fmr < evaluation.smallest_fmr() { " *" } else { "" };
            let value = format!("{:.2} %", 100.0 * measures.fnmr_at[index]);
            row(f, &name, &value, &format!("{interval}{unsupported}"))?;
        }
        if let Some(retrieval) = &evaluation.retrieval {
            for (name, Estimate { value, interval }) in retrieval_rates(retrieval) {
                let interval = interval.as_ref().map(percents).unwrap_or_default();
                row(f, name, &format!("{:.2} %", 100.0 * value), &interval)?;
            }
        }
        writeln!(f)?;
        writeln!(
            f,
            "At the threshold {:.4} {}: FMR {:.2} %, FNMR {:.2} %",
            evaluation.threshold.get(),
            evaluation.threshold_source,
            100.0 * evaluation.rates.fmr,
            100.0 * evaluation.rates.fnmr,
        )?;
        writeln!(f, "{}", retrieval_note(evaluation))?;
        if let Some(one_shot) = &evaluation.one_shot {
            write!(f, "{}", OneShotLines(one_shot))?;
        }
        writeln!(f, "\n{}", OperatingLines(&evaluation.operating))?;
        if let Some(unseen) = &evaluation.unseen {
            writeln!(f, "{}", UnseenLines(unseen))?;
        }
        write!(f, "{}", ProbabilityLines(evaluation))?;
        if let Some(familiar) = &evaluation.familiar {
            writeln!(f, "Familiarity: {familiar}")?;
        }
        if TABLE_FMRS.iter().any(|fmr| *fmr < evaluation.smallest_fmr()) {
            writeln!(
                f,
                "* {} different pairs are too few to measure an FMR below {} (rule of 3)",
                evaluation.different_pairs(),
                siamese_drawing::percent(evaluation.smallest_fmr())
            )?;
        }
        if let Some(pairs) = evaluation.effective_different_pairs() {
            writeln!(
                f,
                "{} different pairs have the information of about {pairs:.0} independent ones: FMRs below {:.2} % are \
                 uncertain",
                evaluation.different_pairs(),
                300.0 / pairs.max(3.0),
            )?;
        }
        if band.is_some() {
            let resamples = bootstrap.resamples;
            writeln!(
                f,
                "Intervals: {resamples} resamples of the {}, seed {}",
                evaluation.comparisons.unit().plural(),
                bootstrap.seed
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, name: &str, value: &str, interval: &str) -> std::fmt::Result {
    let line = format!("  {name:<18}{value:>10}    {interval}");
    writeln!(f, "{}", line.trim_end())
}
