//! One result of both models, and its text.

use crate::statistics::Difference;

/// One result of both models.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name.
    pub name: String,
    /// Whether it is a rate, shown in percent.
    pub is_rate: bool,
    /// The value of each model.
    pub values: [f64; 2],
    /// The second value minus the first; `None` without resamples.
    pub difference: Option<Difference>,
}

impl Row {
    /// Formats a value.
    pub fn value(&self, value: f64) -> String {
        if self.is_rate { format!("{:.2} %", 100.0 * value) } else { format!("{value:.4}") }
    }

    /// Formats the second value minus the first.
    pub fn change(&self) -> String {
        let change = self.values[1] - self.values[0];
        if self.is_rate { format!("{:+.2} %", 100.0 * change) } else { format!("{change:+.4}") }
    }

    /// Formats the 95 % interval of the difference.
    pub fn interval(&self) -> Option<String> {
        let Difference { interval, .. } = self.difference?;
        Some(if self.is_rate {
            format!("{:+.2} to {:+.2} %", 100.0 * interval.low, 100.0 * interval.high)
        } else {
            format!("{:+.4} to {:+.4}", interval.low, interval.high)
        })
    }

    /// Formats the p-value of the difference.
    pub fn p_value(&self) -> Option<String> {
        self.difference.map(|difference| format!("{:.3}", difference.p_value))
    }
}
