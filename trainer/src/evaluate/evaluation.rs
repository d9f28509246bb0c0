//! Everything an evaluation found, before anybody writes it down.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use serde_json::Value;
use siamese_core::model::Card;
use siamese_core::score::{Calibration, Distance, Probability, Rates, Scores, Threshold};

use super::Acquaintance;
use super::operating::{Aim, Operating, chosen};
use crate::learn::history::Entry;
use crate::statistics::{
    Band, Bootstrap, Cllr, Comparisons, Grid, Measures, OneShotRate, Plane, ReliabilityBin, Unit,
    Unseen, reliability,
};

/// The FMRs of the table, from the most lenient.
pub const TABLE_FMRS: [f64; 3] = [0.1, 0.01, 0.001];

/// What was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The tower's name.
    pub tower: String,
    /// The digest of the tower's file.
    pub digest: String,
    /// The name of the pictures.
    pub data: String,
    /// What varies as a whole.
    pub unit: Unit,
    /// The identities' names; of components each the name of its first picture.
    pub identities: Vec<String>,
    /// The names of each identity's pictures.
    pub pictures: Vec<Vec<String>>,
    /// Whether the tower was trained on them.
    pub acquaintance: Acquaintance,
    /// Files that were left out, each with the reason.
    pub skipped: Vec<String>,
    /// What the tower states of its training.
    pub provenance: Option<Value>,
}

/// Where the threshold that is looked at comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdSource {
    /// The tower states it.
    Tower,
    /// The tower states a margin alone, and this is its half.
    HalfMargin,
    /// The tower states neither: it is the one of equal errors on these very pairs.
    SamePairs,
}

/// The figures of a tower on some pictures.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What was evaluated.
    pub subject: Subject,
    /// All pairs.
    pub comparisons: Comparisons,
    /// How far training pushed different pairs apart, if the tower says so.
    pub margin: Option<f64>,
    /// The threshold that is looked at.
    pub threshold: Threshold,
    /// Where it comes from.
    pub threshold_source: ThresholdSource,
    /// The errors at the threshold.
    pub rates: Rates,
    /// The FMRs at which `measures` and `band` state the FNMR; those of [`TABLE_FMRS`] among them.
    pub grid: Grid,
    /// The figures.
    pub measures: Measures,
    /// How they were resampled.
    pub bootstrap: Bootstrap,
    /// How much they would vary with other identities; `None` without resamples.
    pub band: Option<Band>,
    /// How often somebody seen once is recognised among others, where that was asked for.
    pub one_shot: Option<OneShotRate>,
    /// The threshold that is looked at, and others that these pairs ask for.
    pub operating: Vec<Operating>,
    /// What the probabilities are worth.
    pub probability: ProbabilityCheck,
    /// What thresholds chosen on some of the identities do to the others; `None` where there are too
    /// few to tell.
    pub unseen: Option<Unseen>,
    /// Some of the pictures on paper.
    pub map: Option<Map>,
    /// How the training went, where its folder was named.
    pub history: Vec<Entry>,
    /// Where all this comes from: names and values.
    pub origin: Vec<(&'static str, String)>,
}

/// Pictures on paper, as far from each other as the tower finds them.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The places of their identities and of the pictures among those of each.
    pub pictures: Vec<[u32; 2]>,
    /// Where they lie.
    pub plane: Plane,
}

/// What a tower states of itself that its pairs are held against.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// The largest distance called same.
    pub threshold: Option<Threshold>,
    /// How far training pushed different pairs apart.
    pub margin: Option<f64>,
    /// What it was calibrated to.
    pub calibration: Option<Calibration>,
}

impl From<&Card> for Stated {
    fn from(card: &Card) -> Self {
        Self {
            threshold: card.threshold,
            margin: card.margin,
            calibration: card.calibration.clone(),
        }
    }
}

/// Probabilities, and what was seen beside them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbabilityCheck {
    /// Whether the tower states them; else they come from a curve fitted to these very pairs, which
    /// flatters.
    pub is_the_towers: bool,
    /// What they cost in bits a pair.
    pub cllr: Cllr,
    /// What is seen where so much is stated.
    pub bins: Vec<ReliabilityBin>,
}

/// The figures of one identity at the threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfIdentity {
    /// Its name.
    pub name: String,
    /// How many pictures it has.
    pub pictures: u32,
    /// The share of its pairs with others that are called same.
    pub fmr: f64,
    /// The share of its own pairs that are called different; `None` if it has one picture.
    pub fnmr: Option<f64>,
}

impl Display for ThresholdSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tower => "(the tower's)",
            Self::HalfMargin => "(half the margin)",
            Self::SamePairs => "(equal errors on these very pairs)",
        })
    }
}

impl Subject {
    /// A plain warning, if the tower was trained on what it is measured on.
    pub fn warning(&self) -> Option<String> {
        self.acquaintance.warning(self.unit)
    }

    /// How the pictures relate to the training, where it is known.
    pub fn split(&self) -> Option<&'static str> {
        self.acquaintance.split(self.unit)
    }
}

impl Evaluation {
    /// Measures all pairs at the threshold that a tower states, or else at half its margin, or
    /// else where their errors are equal.
    #[expect(clippy::missing_panics_doc, reason = "comparisons have both kinds of pairs")]
    pub fn new(
        subject: Subject,
        comparisons: Comparisons,
        stated: &Stated,
        bootstrap: Bootstrap,
    ) -> Self {
        let margin = stated.margin;
        // Log-spaced for the curves, finer than they are drawn.
        let even = (0..=160).map(|it| 10_f64.powf(-f64::from(it) / 32.0));
        let grid = Grid::new(even.chain(TABLE_FMRS));
        let [same, different] = comparisons.distances();
        let scores = Scores::new(&same, &different).expect("comparisons have both kinds of pairs");
        let half_margin = || margin.and_then(|it| Threshold::try_from(it / 2.0).ok());
        let (threshold, threshold_source) = match (stated.threshold, half_margin()) {
            (Some(threshold), _) => (threshold, ThresholdSource::Tower),
            (None, Some(half)) => (half, ThresholdSource::HalfMargin),
            (None, None) => (scores.eer_threshold(), ThresholdSource::SamePairs),
        };
        let rates = scores.at(threshold);
        let aims = chosen(&grid, &Measures::of(&comparisons, &grid));
        let aims: Vec<_> = [(Aim::InForce, threshold)].into_iter().chain(aims).collect();
        let grid = grid.with_thresholds(aims.iter().map(|(_, it)| *it));
        let measures = Measures::of(&comparisons, &grid);
        let band = bootstrap.intervals(&comparisons, &grid);
        let operating = aims
            .into_iter()
            .filter_map(|it| Operating::of(it, &grid, &measures, band.as_ref()))
            .collect();
        let probability =
            ProbabilityCheck::of(&comparisons, &scores, stated.calibration.as_ref(), bootstrap);
        let unseen = Unseen::of(&comparisons, &TABLE_FMRS, bootstrap);
        Self {
            subject,
            comparisons,
            margin,
            threshold,
            threshold_source,
            rates,
            grid,
            measures,
            bootstrap,
            band,
            one_shot: None,
            operating,
            probability,
            unseen,
            map: None,
            history: Vec::new(),
            origin: Vec::new(),
        }
    }

    /// The place in the grid of an FMR of [`TABLE_FMRS`].
    #[expect(clippy::missing_panics_doc, reason = "the grid was made with them")]
    pub fn grid_place(&self, table_fmr: f64) -> usize {
        let found = self.grid.rates().iter().position(|it| it.to_bits() == table_fmr.to_bits());
        found.expect("the grid holds the table's FMRs")
    }

    /// How many pairs ought to be called same; at least 1.
    pub fn same_pairs(&self) -> usize {
        self.comparisons.pairs().iter().filter(|it| it.is_same).count()
    }

    /// How many pairs ought to be called different; at least 1.
    pub fn different_pairs(&self) -> usize {
        self.comparisons.pairs().len() - self.same_pairs()
    }

    /// The smallest FMR that the different pairs can tell, by the rule of 3.
    #[expect(clippy::cast_precision_loss, reason = "no one has 2^53 pairs")]
    pub fn smallest_fmr(&self) -> f64 {
        3.0 / self.different_pairs() as f64
    }

    /// How many independent different pairs would tell an FMR as well as these do.
    ///
    /// Pairs that share a person vary together. Resampling identities says how much the FMR varies,
    /// and `FMR (1 - FMR) / variance` independent pairs would vary as much; taken at the smallest
    /// FMR of the table that the rule of 3 allows. `None` without resamples, or where nothing varies.
    pub fn effective_different_pairs(&self) -> Option<f64> {
        let told = self.operating.iter().filter(|it| match it.aim {
            Aim::Fmr(fmr) => self.smallest_fmr() <= fmr && 0.0 < it.rates.fmr,
            _ => false,
        });
        let point = told.min_by(|a, b| a.rates.fmr.total_cmp(&b.rates.fmr))?;
        let deviation = point.rates_interval?.fmr_deviation;
        let fmr = point.rates.fmr;
        let pairs = 3.0 / self.smallest_fmr();
        (0.0 < deviation).then(|| (fmr * (1.0 - fmr) / deviation.powi(2)).min(pairs))
    }

    /// How many pictures were compared.
    pub fn pictures(&self) -> u32 {
        self.comparisons.pictures().iter().sum()
    }

    /// What was evaluated, in a line.
    pub fn headline(&self) -> String {
        let Subject { tower, data, .. } = &self.subject;
        format!(
            "{tower} on {data}: {} {}, {} pictures, {} same and {} different pairs",
            self.comparisons.identities(),
            self.comparisons.unit().plural(),
            self.pictures(),
            self.same_pairs(),
            self.different_pairs(),
        )
    }

    /// Who is confused with others, and who isn't recognised, at the threshold; nobody of a list, which
    /// does not say who is shown.
    pub fn by_identity(&self) -> Vec<OfIdentity> {
        #[derive(Clone, Copy, Default)]
        struct Tally {
            pairs: u32,
            wrong: u32,
        }
        impl Tally {
            fn share(self) -> Option<f64> {
                (0 < self.pairs).then(|| f64::from(self.wrong) / f64::from(self.pairs))
            }
        }
        if self.comparisons.unit() == Unit::Component {
            return Vec::new();
        }
        let identities = self.comparisons.pictures().len();
        let [mut own, mut others] = [(); 2].map(|()| vec![Tally::default(); identities]);
        for pair in self.comparisons.pairs() {
            let called_same = pair.distance.get() <= self.threshold.get();
            let [left, right] = pair.identities.map(|it| it as usize);
            if pair.is_same {
                own[left].pairs += 1;
                own[left].wrong += u32::from(!called_same);
            } else {
                for of_one in [left, right] {
                    others[of_one].pairs += 1;
                    others[of_one].wrong += u32::from(called_same);
                }
            }
        }
        let named = self.subject.identities.iter().zip(self.comparisons.pictures());
        named
            .zip(own.into_iter().zip(others))
            .filter(|((_, pictures), _)| 0 < **pictures)
            .map(|((name, pictures), (own, others))| OfIdentity {
                name: name.clone(),
                pictures: *pictures,
                fmr: others.share().unwrap_or_default(),
                fnmr: own.share(),
            })
            .collect()
    }

    /// The name of one picture.
    pub fn picture_name(&self, identity: u32, picture: u32) -> &str {
        &self.subject.pictures[identity as usize][picture as usize]
    }
}

impl ProbabilityCheck {
    fn of(
        comparisons: &Comparisons,
        scores: &Scores,
        calibration: Option<&Calibration>,
        bootstrap: Bootstrap,
    ) -> Self {
        let fitted = Probability::fit(scores);
        let stated = |it: Distance| calibration?.probability(it);
        let is_the_towers = Distance::try_from(0.0).ok().and_then(stated).is_some();
        let probability = |it: f64| {
            Distance::try_from(it).map_or(0.5, |it| stated(it).unwrap_or_else(|| fitted.at(it)))
        };
        Self {
            is_the_towers,
            cllr: Cllr::of(scores, probability),
            bins: reliability(comparisons, probability, bootstrap),
        }
    }
}
