//! What a calibration promises, and what people see of it who had no part in it.

use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::{Distance, Probability, Rates, Scores};

use super::likelihood::{Steps, bits, curve, logit};
use super::measures::weight;
use super::split::Split;
use super::{Bootstrap, Comparisons, Interval, Unit, real, real64};

/// Up to so many identities are left out one by one, more in this many groups.
const GROUPS: usize = 40;

/// Groups where there are more identities than that.
const FEWER_GROUPS: usize = 12;

/// Distances of one kind that a curve is fitted to at most: evenly picked, in their order.
const FITTED: usize = 2048;

/// The rates of pairs of people whom the threshold was not chosen on.
///
/// For every two groups of identities, and for every group by itself, a threshold is chosen on the
/// pairs of all others; it judges the different pairs between the two, and the same pairs within
/// the one. So each pair is judged once, by a calibration that has seen neither of its people,
/// on nearly as many people as the calibration that is written down. Leaving out one at a time
/// and judging its pairs with all others would know half of each pair.
///
/// Listed pairs lie within their components, so that every group of these is left out by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unseen {
    /// What was left out.
    pub unit: Unit,
    /// How many groups were left out in turn; as many as identities where each was one.
    pub groups: usize,
    /// Whether each group is one identity.
    pub is_one_by_one: bool,
    /// By what the threshold was chosen for.
    pub promises: Vec<Promise>,
    /// The cost of probabilities, each stated by a curve fitted without the pair's two people.
    pub cllr: Fitted,
}

/// What a threshold promised and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Promise {
    /// The greatest FMR asked for; `None` for equal errors.
    pub fmr_asked: Option<f64>,
    /// The rates among those it was chosen on, averaged over the choices.
    #[serde(with = "RatesText")]
    pub promised: Rates,
    /// The rates among those it had not seen.
    #[serde(with = "RatesText")]
    pub realised: Rates,
    /// How much the realised FMR would vary with other people; `None` without resamples.
    pub fmr_interval: Option<Interval>,
    /// How much the realised FNMR would.
    pub fnmr_interval: Option<Interval>,
    /// The realised FMR of the identity that is taken for others most often; `None` of components, of
    /// which most have a pair or two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_fmr: Option<f64>,
}

/// The cost in bits of two ways to state probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fitted {
    /// By the logistic curve that a calibration holds.
    pub logistic: f64,
    /// By isotonic regression, with one imagined pair of either kind in each step.
    pub isotonic: f64,
}

#[derive(Serialize)]
#[serde(remote = "Rates")]
struct RatesText {
    fmr: f64,
    fnmr: f64,
}

/// One choice of thresholds and curves, and the groups it had not seen.
struct Choice {
    groups: [usize; 2],
    thresholds: Vec<f64>,
    promised: Vec<Rates>,
    logistic: Probability,
    isotonic: Steps,
}

impl Unseen {
    /// Leaves identities out in turn; `fmrs` are what thresholds are chosen for, beside equal errors.
    ///
    /// `None` where fewer than four identities, or none with two images, would be left to choose on.
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
                    choices.iter().map(|it| rate(&it.promised[at])).sum::<f64>() / n_choices
                };
                let judged = Judged::by(comparisons, &choices, n_groups, at);
                let intervals = judged.intervals(comparisons, bootstrap);
                Some(Promise {
                    fmr_asked: at.checked_sub(1).map(|it| fmrs[it]),
                    promised: Rates { fmr: sum(&|it| it.fmr), fnmr: sum(&|it| it.fnmr) },
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
        let chosen = fmrs.iter().map(|it| split.within(*it));
        let thresholds: Vec<f64> = [split.balanced()].into_iter().chain(chosen).collect();
        let thinned = Scores::new(&thinned(&split.same), &thinned(&split.different)).ok()?;
        Some(Self {
            groups,
            promised: thresholds.iter().map(|it| split.rates(*it)).collect(),
            thresholds,
            logistic: Probability::fit(&thinned),
            isotonic: Steps::smoothed(&thinned, 1.0),
        })
    }
}

/// Evenly picked distances, in their order.
fn thinned(side: &[Distance]) -> Vec<Distance> {
    let kept = side.len().min(FITTED);
    (0..kept).map(|at| side[(2 * at + 1) * side.len() / (2 * kept)]).collect()
}

/// Pairs and errors between each two identities, and within each.
struct Judged {
    identities: usize,
    unit: Unit,
    cells: Vec<Cell>,
}

/// Pairs of one kind and of two identities.
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
            let [left, right] = pair.identities.map(|it| it as usize);
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
        cells.retain(|it| 0 < it.pairs);
        Self { identities, unit, cells }
    }

    /// The rates of everybody once; `None` without pairs of either kind.
    fn rates_of_all(&self) -> Option<Rates> {
        self.rates(&vec![1; self.identities])
    }

    /// The rates if each identity stands there as often as `copies` says; `None` without pairs.
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
        [Interval::of(drawn.iter().map(|it| it.fmr)), Interval::of(drawn.iter().map(|it| it.fnmr))]
    }

    /// The FMR of the identity that is taken for others most often.
    fn worst_fmr(&self) -> Option<f64> {
        if self.unit == Unit::Component {
            return None;
        }
        let mut of_each = vec![[0, 0]; self.identities];
        for cell in self.cells.iter().filter(|it| !it.is_same) {
            for who in cell.identities {
                of_each[who as usize][0] += cell.pairs;
                of_each[who as usize][1] += cell.errors;
            }
        }
        let share = |[pairs, errors]: [u64; 2]| real64(errors) / real64(pairs.max(1));
        Some(of_each.into_iter().map(share).fold(0.0, f64::max))
    }
}

/// Finds the choice that saw neither of two identities.
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
        let [left, right] = identities.map(|it| it % self.n_groups);
        self.choices[left.min(right) * self.n_groups + left.max(right)]
            .expect("there is a choice without each two groups")
    }
}

/// The cost of each pair's probability, by the choice that has not seen its people.
fn costs(comparisons: &Comparisons, choices: &[Choice], n_groups: usize) -> Option<Fitted> {
    let by_groups = ByGroups::new(choices, n_groups);
    let (mut logistic, mut isotonic) = ([0.0; 2], [0.0; 2]);
    let mut counts = [0_usize; 2];
    for pair in comparisons.pairs() {
        let choice = by_groups.of(pair.identities.map(|it| it as usize));
        let side = usize::from(!pair.is_same);
        let distance = pair.distance.get();
        let sign = if pair.is_same { -1.0 } else { 1.0 };
        logistic[side] += bits(sign * logit(curve(choice.logistic)(distance)));
        isotonic[side] += bits(sign * choice.isotonic.log_odds(distance));
        counts[side] += 1;
    }
    let [same, different] = counts.map(real);
    let mean = |it: [f64; 2]| f64::midpoint(it[0] / same, it[1] / different);
    (0 < counts[0] && 0 < counts[1])
        .then(|| Fitted { logistic: mean(logistic), isotonic: mean(isotonic) })
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 100, seed: 1 };

    /// Identities along a line, each with images spread around its place.
    fn crowd(identities: u8, place: impl Fn(u8) -> f32, spread: impl Fn(u8) -> f32) -> Comparisons {
        let of_one = |who: u8| {
            let shift =
                |at: u8| f32::from(who.wrapping_mul(37).wrapping_add(at.wrapping_mul(101)) % 64);
            let images = (0..5).map(|at| place(who) + spread(who) * shift(at) / 64.0);
            images.map(|it| Embedding::new([it]).expect("a point")).collect()
        };
        Comparisons::new(&(0..identities).map(of_one).collect::<Vec<_>>()).expect("pairs")
    }

    #[test]
    fn people_like_those_it_was_chosen_on_see_what_was_promised() {
        let even = crowd(30, f32::from, |_| 1.5);
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
    fn two_who_look_alike_are_a_surprise_to_all_others() {
        // Without either of the two, no different pair is nearer than 10.
        let doubles = crowd(8, |who| if who == 7 { 60.5 } else { 10.0 * f32::from(who) }, |_| 1.0);
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
    fn many_identities_are_left_out_in_groups() {
        let many = crowd(50, f32::from, |_| 1.5);
        assert_eq!(Unseen::of(&many, &[0.1], BOOTSTRAP).expect("enough").groups, FEWER_GROUPS);
    }

    #[test]
    fn components_are_left_out_by_themselves() {
        let of_one = |who: u8| {
            let places = [0.0, 1.0 + f32::from(who % 7) / 4.0, 3.0 + f32::from(who % 5) / 4.0];
            places.map(|it| Embedding::new([it]).expect("a point")).into()
        };
        let points: Vec<Vec<_>> = (0..60).map(of_one).collect();
        let pairs: Vec<_> = (0..60)
            .flat_map(|who| [([[who, 0], [who, 1]], true), ([[who, 0], [who, 2]], false)])
            .collect();
        let listed = Comparisons::listed(&points, &pairs).expect("pairs");
        let unseen = Unseen::of(&listed, &[0.1], BOOTSTRAP).expect("enough");
        assert_eq!((unseen.unit, unseen.groups), (Unit::Component, FEWER_GROUPS));
        // The greatest same distance is below the least different one, in every group.
        assert!(unseen.promises[0].realised.fmr.abs() < 1e-12, "{unseen:?}");
        assert!(unseen.promises[0].worst_fmr.is_none());
    }

    #[test]
    fn three_are_too_few_to_leave_two_out() {
        assert_eq!(Unseen::of(&crowd(3, f32::from, |_| 0.1), &[0.1], BOOTSTRAP), None);
    }
}
