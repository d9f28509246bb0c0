//! The schedule of the learning rate.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The schedule of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate in all steps.
    Constant,
    /// Half a cosine, from the largest rate to 0.
    Cosine,
    /// Up from 1/25 of the largest rate over the first 30 % of the steps, then down to 0, both along a cosine
    /// (Smith and Topin 2018).
    OneCycle,
}

impl Schedule {
    /// Returns the share of the largest rate at `step` of `steps`, in [0, 1].
    pub fn share(self, step: u32, steps: u32) -> f64 {
        const WARM_UP: f64 = 0.3;
        const START: f64 = 1.0 / 25.0;
        let done = f64::from(step) / f64::from(steps.max(1));
        match self {
            Self::Constant => 1.0,
            Self::Cosine => falling(done),
            Self::OneCycle if done < WARM_UP => 1.0 - (1.0 - START) * falling(done / WARM_UP),
            Self::OneCycle => falling((done - WARM_UP) / (1.0 - WARM_UP)),
        }
    }
}

/// Returns half a cosine: 1 at 0, and 0 at 1.
fn falling(done: f64) -> f64 {
    f64::midpoint(1.0, (PI * done.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: Schedule, step: u32, expected: f64) {
        assert!((schedule.share(step, 100) - expected).abs() < 1e-9);
    }

    #[test]
    fn each_schedule_begins_peaks_and_ends_where_it_says() {
        check(Schedule::Constant, 0, 1.0);
        check(Schedule::Constant, 100, 1.0);
        check(Schedule::Cosine, 0, 1.0);
        check(Schedule::Cosine, 50, 0.5);
        check(Schedule::Cosine, 100, 0.0);
        check(Schedule::OneCycle, 0, 0.04);
        check(Schedule::OneCycle, 15, 0.52);
        check(Schedule::OneCycle, 30, 1.0);
        check(Schedule::OneCycle, 65, 0.5);
        check(Schedule::OneCycle, 100, 0.0);
    }
}
