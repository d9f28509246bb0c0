//! What there is to say beside the table, a few lines a subject.

use std::fmt::{Display, Formatter};

use crate::evaluate::{Evaluation, Operating, ProbabilityCheck};
use crate::statistics::{GroupRate, Interval, OneShotRate, Promise, Unit, Unseen};

/// Thresholds one might work at, with the errors of each.
pub(super) struct OperatingLines<'a>(pub(super) &'a [Operating]);

/// What thresholds did to identities that they were not chosen on.
pub struct UnseenLines<'a>(pub &'a Unseen);

/// What the probabilities cost.
pub(super) struct ProbabilityLines<'a>(pub(super) &'a Evaluation);

/// Episodes, and a line for each group where there are several.
pub(super) struct OneShotLines<'a>(pub(super) &'a OneShotRate);

impl Display for OperatingLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "  {:<18}{:<27}{:<26}FNMR", "threshold", "", "FMR")?;
        for Operating { aim, threshold, threshold_interval, rates, rates_interval } in self.0 {
            let threshold_interval = threshold_interval.map(|it| range(it, 1.0, 4));
            let line = format!(
                "  {aim:<18}{:<7.4}{:<20}{:<26}{}",
                threshold.get(),
                threshold_interval.unwrap_or_default(),
                percent(rates.fmr, rates_interval.map(|it| it.fmr)),
                percent(rates.fnmr, rates_interval.map(|it| it.fnmr)),
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
            "On {} that the threshold was not chosen on ({}):",
            self.0.unit.plural(),
            left_out(self.0)
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
                worst_fmr.map(|it| percent(it, None)).unwrap_or_default(),
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Display for ProbabilityLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let ProbabilityCheck { is_the_models, cllr, .. } = &self.0.probability;
        let whose = if *is_the_models { "the model's" } else { "fitted to these very pairs" };
        writeln!(
            f,
            "Probability ({whose}): Cllr {:.3} bits, {:.3} at best, so the calibration costs {:.3}",
            cllr.stated,
            cllr.minimum,
            cllr.stated - cllr.minimum,
        )?;
        if let Some(Unseen { unit, cllr, .. }) = &self.0.unseen {
            writeln!(
                f,
                "  on {} not fitted to: {:.3} by the logistic curve, {:.3} by isotonic steps",
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
             folder of identities; guessing errs in {:.1} %)",
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
            writeln!(f, "  left out, with fewer than {ways} identities: {}", left_out.join(", "))?;
        }
        Ok(())
    }
}

/// How identities were left out.
pub(in crate::report) fn left_out(unseen: &Unseen) -> String {
    let whole = if unseen.is_one_by_one { unseen.unit.plural() } else { "groups of them" };
    match unseen.unit {
        Unit::Identity => format!("every two of {} {whole} left out in turn", unseen.groups),
        Unit::Component => format!("each of {} {whole} left out in turn", unseen.groups),
    }
}

/// What a promise was made for.
pub(in crate::report) fn chosen_for(promise: &Promise) -> String {
    promise
        .fmr_asked
        .map_or_else(|| "equal errors".to_owned(), |it| format!("FMR up to {} %", 100.0 * it))
}

/// A rate, and its interval where there is one.
pub(super) fn percent(rate: f64, interval: Option<Interval>) -> String {
    let interval = interval.map(|it| range(it, 100.0, 2)).unwrap_or_default();
    format!("{:.2} %{interval}", 100.0 * rate)
}

fn range(Interval { low, high }: Interval, factor: f64, digits: usize) -> String {
    format!(" ({:.digits$} – {:.digits$})", factor * low, factor * high)
}
