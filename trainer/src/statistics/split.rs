//! Fast choice of thresholds on sorted distances, by bisection.

use siamese_core::score::{Distance, Rates};

use super::real;

/// The distances to choose thresholds on; each kind is ascending and not empty.
pub(super) struct Split {
    pub(super) same: Vec<Distance>,
    pub(super) different: Vec<Distance>,
}

impl Split {
    /// Returns the errors at a threshold.
    pub(super) fn rates(&self, threshold: f64) -> Rates {
        let within = |side: &[Distance]| {
            real(side.partition_point(|distance| distance.get() <= threshold)) / real(side.len())
        };
        Rates { fmr: within(&self.different), fnmr: 1.0 - within(&self.same) }
    }

    /// Returns the threshold half-way between a distance and the previous one; 0 before the first.
    fn before(&self, distance: f64) -> f64 {
        let last = |side: &[Distance]| {
            side.partition_point(|other| other.get() < distance)
                .checked_sub(1)
                .map(|at| side[at].get())
        };
        let last = last(&self.same).into_iter().chain(last(&self.different)).reduce(f64::max);
        last.map_or(0.0, |last| last.midpoint(distance))
    }

    /// Returns the largest threshold whose FMR is at most `fmr`; `fmr` must be below 1.
    pub(super) fn within(&self, fmr: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 0, and cut off at the last one"
        )]
        let admitted = (fmr * real(self.different.len())) as usize;
        self.before(self.different[admitted.min(self.different.len() - 1)].get())
    }

    /// Returns the threshold with the smallest maximum of FMR and FNMR.
    pub(super) fn balanced(&self) -> f64 {
        let is_beyond = |threshold: f64| {
            let Rates { fmr, fnmr } = self.rates(threshold);
            fnmr < fmr
        };
        let first = |side: &[Distance]| {
            let at = side.partition_point(|distance| !is_beyond(distance.get()));
            side.get(at).map(|distance| distance.get())
        };
        let crossings = first(&self.same).into_iter().chain(first(&self.different));
        // At the greatest distance FNMR is 0 and FMR is 1.
        let crossing = crossings.fold(f64::INFINITY, f64::min);
        let next = |side: &[Distance]| {
            side.get(side.partition_point(|distance| distance.get() <= crossing))
                .map(|distance| distance.get())
        };
        let next = next(&self.same).into_iter().chain(next(&self.different)).reduce(f64::min);
        let after = next.map_or(crossing, |next| crossing.midpoint(next));
        let greater = |threshold: f64| {
            let Rates { fmr, fnmr } = self.rates(threshold);
            fmr.max(fnmr)
        };
        let before = self.before(crossing);
        if greater(before) <= greater(after) { before } else { after }
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Scores;

    use super::*;

    #[test]
    fn thresholds_are_those_of_the_scores() {
        let distances = |from: u32, step: f64| -> Vec<Distance> {
            let at = (from..from + 60).map(|number| Distance::try_from(f64::from(number) * step));
            at.map(|value| value.expect("a distance")).collect()
        };
        let [same, different] = [distances(0, 0.5), distances(20, 0.7)];
        let scores = Scores::new(&same, &different).expect("pairs");
        let expected = scores.at(scores.eer_threshold());
        let split = Split { same, different };
        let rates = split.rates(split.balanced());
        assert!((rates.fmr.max(rates.fnmr) - expected.fmr.max(expected.fnmr)).abs() < 1e-12);
        let tenth = split.rates(split.within(0.1)).fmr;
        assert!(tenth <= 0.1 && 0.08 < tenth, "{tenth}");
    }
}
