//! The axes of a chart.

/// The scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Linear.
    Linear,
    /// Logarithmic.
    Log,
    /// By the quantile of the normal distribution; normally distributed distances give a straight line.
    Probit,
}

/// An axis with its range and ticks.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) label: String,
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Makes an axis of error rates with the `ticks` within its range.
    pub fn of_rates(label: &str, scale: Scale, [low, high]: [f64; 2], ticks: &[f64]) -> Self {
        let within = ticks.iter().filter(|tick| low <= **tick && **tick <= high);
        let ticks = within.map(|tick| (*tick, percent(*tick))).collect();
        Self { label: label.to_owned(), scale, low, high, ticks }
    }

    /// Makes an axis from 0 to `high` with about six ticks at round numbers.
    pub fn linear(label: &str, high: f64, written: impl Fn(f64) -> String) -> Self {
        let step = round_step(high / 6.0);
        let ticks = (0..=12)
            .map(|number| f64::from(number) * step)
            .take_while(|value| *value <= high * (1.0 + 1e-9))
            .map(|value| (value, written(value)))
            .collect();
        Self { label: label.to_owned(), scale: Scale::Linear, low: 0.0, high, ticks }
    }

    /// Returns the position of a value, from 0 at the low end to 1 at the high end; values outside are clamped.
    pub(super) fn place(&self, value: f64) -> f64 {
        let [at, low, high] =
            [value.clamp(self.low, self.high), self.low, self.high].map(|number| {
                match self.scale {
                    Scale::Linear => number,
                    Scale::Log => number.ln(),
                    Scale::Probit => probit(number),
                }
            });
        (at - low) / (high - low)
    }

    /// Returns whether a value is below the low end, and whether it is above the high end.
    pub(super) fn is_beyond(&self, value: f64) -> [bool; 2] {
        [value < self.low, self.high < value]
    }

    /// Returns the values and labels of the ticks, ascending.
    pub(super) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }
}

/// Formats a rate in percent with few digits.
pub fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    let digits = (1..12).find(|digits| 0.95 * 10_f64.powi(-digits) <= percent).unwrap_or(1);
    format!("{} %", number(percent, usize::try_from(digits).unwrap_or(1)))
}

/// Formats a number with at most `digits` decimals, without trailing zeros.
pub fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Returns 1, 2, 2.5 or 5 times a power of ten, near `step` and not below it.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = step / power;
    let round =
        [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor_limit| factor <= factor_limit * (1.0 + 1e-9));
    power * round.unwrap_or(10.0)
}

/// Returns the quantile of the standard normal distribution at `share` in `(0, 1)`, with an error of at most 4.5e-4.
///
/// M. Abramowitz, I. Stegun, *Handbook of Mathematical Functions*, 26.2.23.
fn probit(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(f64::MIN_POSITIVE);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let quantile = t - above / below;
    if share < 0.5 { -quantile } else { quantile }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 5e-4, "{value} instead of {expected}");
    }

    #[test]
    fn probit_gives_the_quantiles_of_tables() {
        near(probit(0.5), 0.0);
        near(probit(0.975), 1.959_96);
        near(probit(0.001), -3.090_23);
        assert!(probit(0.0).is_finite() && probit(1.0).is_finite());
    }

    #[test]
    fn a_log_axis_gives_each_power_the_same_space() {
        let axis = Axis::of_rates("FMR", Scale::Log, [0.001, 1.0], &[0.001, 0.1, 2.0]);
        near(axis.place(0.01), 1.0 / 3.0);
        near(axis.place(0.0), 0.0);
        near(axis.place(5.0), 1.0);
        assert_eq!(axis.ticks(), [(0.001, "0.1 %".to_owned()), (0.1, "10 %".to_owned())]);
    }

    #[test]
    fn ticks_are_round_numbers() {
        let axis = Axis::linear("distance", 1.37, |value| format!("{value}"));
        let labels: Vec<_> = axis.ticks().iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["0", "0.25", "0.5", "0.75", "1", "1.25"]);
        near(round_step(0.16), 0.2);
        near(round_step(7.0), 10.0);
    }

    #[test]
    fn a_number_loses_only_trailing_zeros_after_the_point() {
        let written = [0.25, 1.0, 100.0, 0.123_456_789, 0.0].map(|value| number(value, 6));
        assert_eq!(written, ["0.25", "1", "100", "0.123457", "0"]);
        assert_eq!(number(20.0, 0), "20");
    }

    #[test]
    fn percents_are_written_in_few_digits() {
        let written = [1e-7, 1e-5, 0.0001, 0.001, 0.05, 0.0561, 0.123, 1.0, 0.0].map(percent);
        assert_eq!(
            written,
            ["0.00001 %", "0.001 %", "0.01 %", "0.1 %", "5 %", "5.6 %", "12.3 %", "100 %", "0 %"]
        );
    }
}
