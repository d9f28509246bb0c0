//! One figure of both models, and how it reads.

use crate::statistics::Difference;

/// A figure of both models.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Whether it is a rate, and read in percent.
    pub is_rate: bool,
    /// Of either model.
    pub values: [f64; 2],
    /// The second's less the first's; `None` without resamples.
    pub difference: Option<Difference>,
}

impl Row {
    /// A value of this figure, to be read.
    pub fn value(&self, it: f64) -> String {
        if self.is_rate { format!("{:.2} %", 100.0 * it) } else { format!("{it:.4}") }
    }

    /// The second's value less the first's.
    pub fn change(&self) -> String {
        let it = self.values[1] - self.values[0];
        if self.is_rate { format!("{:+.2} %", 100.0 * it) } else { format!("{it:+.4}") }
    }

    /// Where the difference would lie with other identities.
    pub fn interval(&self) -> Option<String> {
        let Difference { interval, .. } = self.difference?;
        Some(if self.is_rate {
            format!("{:+.2} to {:+.2} %", 100.0 * interval.low, 100.0 * interval.high)
        } else {
            format!("{:+.4} to {:+.4}", interval.low, interval.high)
        })
    }

    /// How often chance looks so.
    pub fn p_value(&self) -> Option<String> {
        self.difference.map(|it| format!("{:.3}", it.p_value))
    }
}
