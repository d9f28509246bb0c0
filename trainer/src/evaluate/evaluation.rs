//! Everything an evaluation found, before anybody writes it down.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use siamese_core::model::Card;
use siamese_core::score::{Rates, Scores, Threshold};

use super::operating::{Aim, Operating, chosen};
use super::{Embedded, ProbabilityCheck, Subject};
use crate::learn::history::Entry;
use crate::statistics::{
    Band, Bootstrap, Comparisons, Grid, Measures, NotComparable, OneShotRate, Plane, Unseen, real,
};

/// The FMRs of the table, from the most lenient.
pub const TABLE_FMRS: [f64; 3] = [0.1, 0.01, 0.001];

/// Where the threshold that is looked at comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdSource {
    /// The model states it.
    Model,
    /// The model states a margin alone, and this is its half.
    HalfMargin,
    /// The model states neither: it is the one of equal errors on these very pairs.
    SamePairs,
}

/// The figures of a model on some images.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What was evaluated.
    pub subject: Subject,
    /// All pairs.
    pub comparisons: Comparisons,
    /// How far training pushed different pairs apart, if the model says so.
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
    /// Some of the images on paper.
    pub map: Option<Map>,
    /// How the training went, where its folder was named.
    pub history: Vec<Entry>,
    /// Where all this comes from: names and values.
    pub origin: Vec<(&'static str, String)>,
}

/// Images on paper, as far from each other as the model finds them.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The places of their identities and of the images among those of each.
    pub images: Vec<[u32; 2]>,
    /// Where they lie.
    pub plane: Plane,
}

impl Display for ThresholdSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "(the model's)",
            Self::HalfMargin => "(half the margin)",
            Self::SamePairs => "(equal errors on these very pairs)",
        })
    }
}

impl Evaluation {
    /// Measures all pairs at the threshold that the model states, or else at half its margin, or
    /// else where their errors are equal.
    #[expect(clippy::missing_panics_doc, reason = "comparisons have both kinds of pairs")]
    pub fn of(embedded: &Embedded, bootstrap: Bootstrap) -> Result<Self, NotComparable> {
        let (subject, comparisons) = (embedded.subject(), embedded.comparisons()?);
        let Card { threshold, margin, ref calibration, .. } = *embedded.card();
        // Log-spaced for the curves, finer than they are drawn.
        let even = (0..=160).map(|it| 10_f64.powf(-f64::from(it) / 32.0));
        let grid = Grid::new(even.chain(TABLE_FMRS));
        let [same, different] = comparisons.distances();
        let scores = Scores::new(&same, &different).expect("comparisons have both kinds of pairs");
        let half_margin = || margin.and_then(|it| Threshold::try_from(it / 2.0).ok());
        let (threshold, threshold_source) = match (threshold, half_margin()) {
            (Some(threshold), _) => (threshold, ThresholdSource::Model),
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
            ProbabilityCheck::of(&comparisons, &scores, calibration.as_ref(), bootstrap);
        let unseen = Unseen::of(&comparisons, &TABLE_FMRS, bootstrap);
        Ok(Self {
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
        })
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
    pub fn smallest_fmr(&self) -> f64 {
        3.0 / real(self.different_pairs())
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

    /// How many images were compared.
    pub fn images(&self) -> u32 {
        self.comparisons.images().iter().sum()
    }

    /// What was evaluated, in a line.
    pub fn headline(&self) -> String {
        let Subject { model, data, .. } = &self.subject;
        format!(
            "{model} on {data}: {} {}, {} images, {} same and {} different pairs",
            self.comparisons.identities(),
            self.comparisons.unit().plural(),
            self.images(),
            self.same_pairs(),
            self.different_pairs(),
        )
    }

    /// The name of one image.
    pub fn image_name(&self, identity: u32, image: u32) -> &str {
        &self.subject.images[identity as usize][image as usize]
    }
}
