//! The sections below the table.

use std::fmt::{Display, Formatter};

use crate::evaluate::{Evaluation, Operating, ProbabilityCheck};
use crate::statistics::{GroupRate, Interval, OneShotRate, Promise, Unit, Unseen};

/// The operating points with their errors.
pub(super) struct OperatingLines<'a>(pub(super) &'a [Operating]);

/// The errors on identities that a threshold was not chosen on.
pub struct UnseenLines<'a>(pub &'a Unseen);

/// The cost of the probabilities.
pub(super) struct ProbabilityLines<'a>(pub(super) &'a Evaluation);

/// The one-shot error, with a line for each group if there are several.
pub(super) struct OneShotLines<'a>(pub(super) &'a OneShotRate);

impl Display for OperatingLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "  {:<18}{:<27}{:<26}FNMR", "threshold", "", "FMR")?;
        for Operating { aim, threshold, threshold_interval, rates, rates_interval } in self.0 {
            let threshold_interval = threshold_interval.map(|interval| range(interval, 1.0, 4));
            let line = format!(
                "  {aim:<18}{:<7.4}{:<20}{:<26}{}",
                threshold.get(),
                threshold_interval.unwrap_or_default(),
                percent(rates.fmr, rates_interval.map(|interval| interval.fmr)),
                percent(rates.fnmr, rates_interval.map(|interval| interval.fnmr)),
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Display for UnseenLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "Errors on {} that the threshold was not chosen on ({}):",
            self.0.unit.plural(),
            held_out(self.0)
        )?;
        writeln!(
            f,
            "  {:<18}{:<14}{:<26}FNMR realised{}",
            "chosen for",
            "FMR promised",
            "FMR realised",
            if self.0.unit == Unit::Identity { "             worst identity" } else { "" }
        )?;
        for promise in &self.0.promises {
            let Promise { promised, realised, fmr_interval, fnmr_interval, worst_fmr, .. } =
                promise;
            let line = format!(
                "  {:<18}{:<14}{:<26}{:<26}{}",
                chosen_for(promise),
                percent(promised.fmr, None),
                percent(realised.fmr, *fmr_interval),
                percent(realised.fnmr, *fnmr_interval),
                worst_fmr.map(|fmr| percent(fmr, None)).unwrap_or_default(),
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Display for ProbabilityLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let ProbabilityCheck { from_model, cllr, .. } = &self.0.probability;
        let source = if *from_model { "from the model" } else { "fitted to these pairs" };
        writeln!(
            f,
            "Probability ({source}): Cllr {:.3} bits; the best possible is {:.3}, so the calibration costs {:.3}",
            cllr.stated,
            cllr.minimum,
            cllr.stated - cllr.minimum,
        )?;
        if let Some(Unseen { unit, cllr, .. }) = &self.0.unseen {
            writeln!(
                f,
                "  on {} not used for the fit: {:.3} with a logistic curve, {:.3} with isotonic steps",
                unit.plural(),
                cllr.logistic,
                cllr.isotonic
            )?;
        }
        Ok(())
    }
}

impl Display for OneShotLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let OneShotRate { ways, shots, episodes, error, standard_error, groups, left_out } = self.0;
        writeln!(
            f,
            "{ways}-way {shots}-shot error: {:.2} ± {:.2} % ({episodes} episodes, each within one \
             folder of identities; random guessing: {:.1} %)",
            100.0 * error,
            100.0 * standard_error,
            100.0 - 100.0 / f64::from(u32::try_from(*ways).unwrap_or(u32::MAX)),
        )?;
        if 1 < groups.len() {
            for GroupRate { name, identities, error } in groups {
                writeln!(f, "  {name}: {:.2} % ({identities} identities)", 100.0 * error)?;
            }
        }
        if !left_out.is_empty() {
            writeln!(f, "  skipped, fewer than {ways} identities: {}", left_out.join(", "))?;
        }
        Ok(())
    }
}

/// Describes how identities were held out.
pub(in crate::report) fn held_out(unseen: &Unseen) -> String {
    let members = if unseen.is_one_by_one { unseen.unit.plural() } else { "groups" };
    match unseen.unit {
        Unit::Identity => format!("every two of {} {members} held out in turn", unseen.groups),
        Unit::Component => format!("each of {} {members} held out in turn", unseen.groups),
    }
}

/// Describes the criterion of a threshold.
pub(in crate::report) fn chosen_for(promise: &Promise) -> String {
    promise
        .fmr_asked
        .map_or_else(|| "equal errors".to_owned(), |fmr| format!("FMR up to {} %", 100.0 * fmr))
}

/// Formats a rate, with its interval if there is one.
pub(super) fn percent(rate: f64, interval: Option<Interval>) -> String {
    let interval = interval.map(|interval| range(interval, 100.0, 2)).unwrap_or_default();
    format!("{:.2} %{interval}", 100.0 * rate)
}

fn range(Interval { low, high }: Interval, factor: f64, digits: usize) -> String {
    format!(" ({:.digits$} – {:.digits$})", factor * low, factor * high)
}
