//! The errors of a calibration on identities that it was not fitted on.

use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::{Distance, Probability, Rates, Scores};

use super::likelihood::{Steps, bits, curve, logit};
use super::measures::weight;
use super::split::Split;
use super::{Bootstrap, Comparisons, Interval, Unit, real, real64};

/// The largest number of identities that are held out one by one.
const GROUPS: usize = 40;

/// The number of groups if there are more identities.
const FEWER_GROUPS: usize = 12;

/// The largest number of distances of one kind that a curve is fitted to; they are picked evenly.
const FITTED: usize = 2048;

/// The errors on identities that a threshold was not chosen on.
///
/// For every two groups of identities, and for every single group, a threshold is chosen on the pairs of all other
/// identities. It judges the different pairs between the two groups, or the same pairs within the one. Each pair is
/// therefore judged once, by a threshold that was chosen without its two identities, on nearly as many identities as the
/// final calibration. Holding out one identity at a time would not suffice, because the other identity of a pair would be
/// known.
///
/// Listed pairs are within components, so each group of components is held out alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unseen {
    /// The unit that was held out.
    pub unit: Unit,
    /// The number of groups.
    pub groups: usize,
    /// Whether each group is one identity.
    pub is_one_by_one: bool,
    /// The errors for each criterion of a threshold.
    pub promises: Vec<Promise>,
    /// The cost of the probabilities of curves that were fitted without the pair's identities.
    pub cllr: Fitted,
}

/// The errors that a threshold promised, and the errors on other identities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Promise {
    /// The requested largest FMR; `None` for equal errors.
    pub fmr_asked: Option<f64>,
    /// The errors on the identities that the threshold was chosen on, averaged over all choices.
    #[serde(with = "RatesText")]
    pub promised: Rates,
    /// The errors on the other identities.
    #[serde(with = "RatesText")]
    pub realised: Rates,
    /// The interval of the realised FMR; `None` without resamples.
    pub fmr_interval: Option<Interval>,
    /// The interval of the realised FNMR; `None` without resamples.
    pub fnmr_interval: Option<Interval>,
    /// The realised FMR of the worst identity; `None` for components, which have few pairs each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_fmr: Option<f64>,
}

/// The cost in bits of two kinds of probability curves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fitted {
    /// The cost of the logistic curve, which a calibration stores.
    pub logistic: f64,
    /// The cost of isotonic regression, with one additional pair of each kind in each step.
    pub isotonic: f64,
}

#[derive(Serialize)]
#[serde(remote = "Rates")]
struct RatesText {
    fmr: f64,
    fnmr: f64,
}

/// Thresholds and curves, and the groups that they were chosen without.
struct Choice {
    groups: [usize; 2],
    thresholds: Vec<f64>,
    promised: Vec<Rates>,
    logistic: Probability,
    isotonic: Steps,
}

impl Unseen {
    /// Holds out identities in turn. Thresholds are chosen for equal errors and for each of `fmrs`.
    ///
    /// Returns `None` if there are fewer than four identities, or if a choice would have no same pairs.
    pub fn of(comparisons: &Comparisons, fmrs: &[f64], bootstrap: Bootstrap) -> Option<Self> {
        let identities = comparisons.images().len();
        let n_groups = if identities <= GROUPS { identities } else { FEWER_GROUPS };
        let unit = comparisons.unit();
        let pairs = (0..n_groups).flat_map(|left| {
            let last = if unit == Unit::Identity { n_groups } else { left + 1 };
            (left..last).map(move |right| [left, right])
        });
        let choices: Vec<Choice> = pairs
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|groups| Choice::without(comparisons, groups, n_groups, fmrs))
            .collect::<Option<_>>()?;
        let n_choices = real(choices.len());
        let promises = (0..=fmrs.len())
            .map(|at| {
                let sum = |rate: &dyn Fn(&Rates) -> f64| {
                    choices.iter().map(|choice| rate(&choice.promised[at])).sum::<f64>() / n_choices
                };
                let judged = Judged::by(comparisons, &choices, n_groups, at);
                let intervals = judged.intervals(comparisons, bootstrap);
                Some(Promise {
                    fmr_asked: at.checked_sub(1).map(|index| fmrs[index]),
                    promised: Rates {
                        fmr: sum(&|rates| rates.fmr),
                        fnmr: sum(&|rates| rates.fnmr),
                    },
                    realised: judged.rates_of_all()?,
                    fmr_interval: intervals[0],
                    fnmr_interval: intervals[1],
                    worst_fmr: judged.worst_fmr(),
                })
            })
            .collect::<Option<_>>()?;
        Some(Self {
            unit,
            groups: n_groups,
            is_one_by_one: n_groups == identities,
            promises,
            cllr: costs(comparisons, &choices, n_groups)?,
        })
    }
}

impl Choice {
    fn without(
        comparisons: &Comparisons,
        groups: [usize; 2],
        n_groups: usize,
        fmrs: &[f64],
    ) -> Option<Self> {
        let is_left_out = |identity: u32| groups.contains(&(identity as usize % n_groups));
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for pair in comparisons.pairs() {
            if !pair.identities.into_iter().any(is_left_out) {
                if pair.is_same { &mut same } else { &mut different }.push(pair.distance);
            }
        }
        let split = Split { same, different };
        if split.same.is_empty() || split.different.is_empty() {
            return None;
        }
        let chosen = fmrs.iter().map(|fmr| split.within(*fmr));
        let thresholds: Vec<f64> = [split.balanced()].into_iter().chain(chosen).collect();
        let thinned = Scores::new(&thinned(&split.same), &thinned(&split.different)).ok()?;
        Some(Self {
            groups,
            promised: thresholds.iter().map(|threshold| split.rates(*threshold)).collect(),
            thresholds,
            logistic: Probability::fit(&thinned),
            isotonic: Steps::smoothed(&thinned, 1.0),
        })
    }
}

/// Returns evenly picked distances, in order.
fn thinned(side: &[Distance]) -> Vec<Distance> {
    let kept = side.len().min(FITTED);
    (0..kept).map(|at| side[(2 * at + 1) * side.len() / (2 * kept)]).collect()
}

/// The pairs and errors of each two identities, and within each identity.
struct Judged {
    identities: usize,
    unit: Unit,
    cells: Vec<Cell>,
}

/// The pairs of one kind of two identities.
#[derive(Clone, Copy, Default)]
struct Cell {
    identities: [u32; 2],
    is_same: bool,
    pairs: u64,
    errors: u64,
}

impl Judged {
    fn by(comparisons: &Comparisons, choices: &[Choice], n_groups: usize, at: usize) -> Self {
        let identities = comparisons.images().len();
        let unit = comparisons.unit();
        let by_groups = ByGroups::new(choices, n_groups);
        let n_cells = match unit {
            Unit::Identity => identities * identities,
            Unit::Component => 2 * identities,
        };
        let mut cells = vec![Cell::default(); n_cells];
        for pair in comparisons.pairs() {
            let [left, right] = pair.identities.map(|identity| identity as usize);
            let threshold = by_groups.of([left, right]).thresholds[at];
            let called_same = pair.distance.get() <= threshold;
            let cell = &mut cells[match unit {
                Unit::Identity => left.min(right) * identities + left.max(right),
                Unit::Component => 2 * left + usize::from(!pair.is_same),
            }];
            (cell.identities, cell.is_same) = (pair.identities, pair.is_same);
            cell.pairs += 1;
            cell.errors += u64::from(called_same != pair.is_same);
        }
        cells.retain(|cell| 0 < cell.pairs);
        Self { identities, unit, cells }
    }

    /// Returns the rates with each identity once; `None` if a kind of pairs is missing.
    fn rates_of_all(&self) -> Option<Rates> {
        self.rates(&vec![1; self.identities])
    }

    /// Returns the rates if each identity occurs `copies` times; `None` if a kind of pairs is missing.
    fn rates(&self, copies: &[u64]) -> Option<Rates> {
        let mut sides = [[0; 2]; 2];
        for Cell { identities, is_same, pairs, errors } in &self.cells {
            let weight = weight(*identities, copies);
            let side = &mut sides[usize::from(!is_same)];
            side[0] += weight * pairs;
            side[1] += weight * errors;
        }
        let share = |[pairs, errors]: [u64; 2]| (0 < pairs).then(|| real64(errors) / real64(pairs));
        let [same, different] = sides;
        Some(Rates { fmr: share(different)?, fnmr: share(same)? })
    }

    fn intervals(&self, comparisons: &Comparisons, bootstrap: Bootstrap) -> [Option<Interval>; 2] {
        let drawn = bootstrap.draws(comparisons, |copies| self.rates(copies));
        [
            Interval::of(drawn.iter().map(|rates| rates.fmr)),
            Interval::of(drawn.iter().map(|rates| rates.fnmr)),
        ]
    }

    /// Returns the largest FMR of an identity.
    fn worst_fmr(&self) -> Option<f64> {
        if self.unit == Unit::Component {
            return None;
        }
        let mut of_each = vec![[0, 0]; self.identities];
        for cell in self.cells.iter().filter(|cell| !cell.is_same) {
            for identity in cell.identities {
                of_each[identity as usize][0] += cell.pairs;
                of_each[identity as usize][1] += cell.errors;
            }
        }
        let share = |[pairs, errors]: [u64; 2]| real64(errors) / real64(pairs.max(1));
        Some(of_each.into_iter().map(share).fold(0.0, f64::max))
    }
}

/// Finds the choice that was made without two identities.
struct ByGroups<'a> {
    n_groups: usize,
    choices: Vec<Option<&'a Choice>>,
}

impl<'a> ByGroups<'a> {
    fn new(choices: &'a [Choice], n_groups: usize) -> Self {
        let mut found = vec![None; n_groups * n_groups];
        for choice in choices {
            let [left, right] = choice.groups;
            found[left * n_groups + right] = Some(choice);
        }
        Self { n_groups, choices: found }
    }

    fn of(&self, identities: [usize; 2]) -> &'a Choice {
        let [left, right] = identities.map(|identity| identity % self.n_groups);
        self.choices[left.min(right) * self.n_groups + left.max(right)]
            .expect("there is a choice without each two groups")
    }
}

/// Returns the costs of the probabilities, each from the choice that was made without the pair's identities.
fn costs(comparisons: &Comparisons, choices: &[Choice], n_groups: usize) -> Option<Fitted> {
    let by_groups = ByGroups::new(choices, n_groups);
    let (mut logistic, mut isotonic) = ([0.0; 2], [0.0; 2]);
    let mut counts = [0_usize; 2];
    for pair in comparisons.pairs() {
        let choice = by_groups.of(pair.identities.map(|identity| identity as usize));
        let side = usize::from(!pair.is_same);
        let distance = pair.distance.get();
        let sign = if pair.is_same { -1.0 } else { 1.0 };
        logistic[side] += bits(sign * logit(curve(choice.logistic)(distance)));
        isotonic[side] += bits(sign * choice.isotonic.log_odds(distance));
        counts[side] += 1;
    }
    let [same, different] = counts.map(real);
    let mean = |costs: [f64; 2]| f64::midpoint(costs[0] / same, costs[1] / different);
    (0 < counts[0] && 0 < counts[1])
        .then(|| Fitted { logistic: mean(logistic), isotonic: mean(isotonic) })
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 100, seed: 1 };

    /// Makes identities along a line, each with images spread around its position.
    fn made_identities(
        identities: u8,
        place: impl Fn(u8) -> f32,
        spread: impl Fn(u8) -> f32,
    ) -> Comparisons {
        let images_of = |identity: u8| {
            let shift = |at: u8| {
                f32::from(identity.wrapping_mul(37).wrapping_add(at.wrapping_mul(101)) % 64)
            };
            let images = (0..5).map(|at| place(identity) + spread(identity) * shift(at) / 64.0);
            images.map(|value| Embedding::new([value]).expect("a point")).collect()
        };
        Comparisons::new(&(0..identities).map(images_of).collect::<Vec<_>>()).expect("pairs")
    }

    #[test]
    fn similar_identities_have_the_promised_errors() {
        let even = made_identities(30, f32::from, |_| 1.5);
        let unseen = Unseen::of(&even, &[0.1, 0.01], BOOTSTRAP).expect("enough");
        assert_eq!(unseen.groups, 30);
        for promise in &unseen.promises {
            let Rates { fmr, .. } = promise.promised;
            assert!((promise.realised.fmr - fmr).abs() < 0.01, "{promise:?}");
            let interval = promise.fmr_interval.expect("resamples");
            assert!(interval.low <= promise.realised.fmr && promise.realised.fmr <= interval.high);
        }
        let tenth = unseen.promises[1];
        assert_eq!(tenth.fmr_asked, Some(0.1));
        assert!((0.08..=0.1).contains(&tenth.promised.fmr), "{tenth:?}");
    }

    #[test]
    fn two_similar_identities_exceed_the_promised_fmr() {
        // Without either of the two, no different pair is nearer than 10.
        let doubles = made_identities(
            8,
            |identity| if identity == 7 { 60.5 } else { 10.0 * f32::from(identity) },
            |_| 1.0,
        );
        let unseen = Unseen::of(&doubles, &[0.01], BOOTSTRAP).expect("enough");
        let one_in_a_hundred = unseen.promises[1];
        assert!(one_in_a_hundred.promised.fmr < 0.01, "{one_in_a_hundred:?}");
        // The 25 pairs of the two, of 700 and of 175.
        let realised = one_in_a_hundred.realised.fmr;
        assert!((25.0 / 700.0..0.04).contains(&realised), "{one_in_a_hundred:?}");
        let worst = one_in_a_hundred.worst_fmr.expect("of identities");
        assert!(25.0 / 175.0 <= worst, "{one_in_a_hundred:?}");
    }

    #[test]
    fn many_identities_are_held_out_in_groups() {
        let many = made_identities(50, f32::from, |_| 1.5);
        assert_eq!(Unseen::of(&many, &[0.1], BOOTSTRAP).expect("enough").groups, FEWER_GROUPS);
    }

    #[test]
    fn components_are_held_out_alone() {
        let images_of = |identity: u8| {
            let places =
                [0.0, 1.0 + f32::from(identity % 7) / 4.0, 3.0 + f32::from(identity % 5) / 4.0];
            places.map(|value| Embedding::new([value]).expect("a point")).into()
        };
        let points: Vec<Vec<_>> = (0..60).map(images_of).collect();
        let pairs: Vec<_> = (0..60)
            .flat_map(|identity| {
                [([[identity, 0], [identity, 1]], true), ([[identity, 0], [identity, 2]], false)]
            })
            .collect();
        let listed = Comparisons::listed(&points, &pairs).expect("pairs");
        let unseen = Unseen::of(&listed, &[0.1], BOOTSTRAP).expect("enough");
        assert_eq!((unseen.unit, unseen.groups), (Unit::Component, FEWER_GROUPS));
        // The greatest same distance is below the least different one, in every group.
        assert!(unseen.promises[0].realised.fmr.abs() < 1e-12, "{unseen:?}");
        assert!(unseen.promises[0].worst_fmr.is_none());
    }

    #[test]
    fn three_identities_are_too_few() {
        assert_eq!(Unseen::of(&made_identities(3, f32::from, |_| 0.1), &[0.1], BOOTSTRAP), None);
    }
}
