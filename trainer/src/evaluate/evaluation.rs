//! All results of an evaluation.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use siamese_core::model::Card;
use siamese_core::score::{Rates, Scores, Threshold};

use super::operating::{Aim, Operating, chosen};
use super::{Embedded, Familiar, InvertedLabels, ProbabilityCheck, Subject};
use crate::learn::history::Entry;
use crate::statistics::{
    Band, Bootstrap, Comparisons, Grid, Measures, NotComparable, OneShotRate, Plane, Retrieval,
    Unseen, real,
};

/// The FMRs of the table, the largest first.
pub const TABLE_FMRS: [f64; 3] = [0.1, 0.01, 0.001];

/// The source of the threshold in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdSource {
    /// The model's card.
    Model,
    /// Half the margin, because the card has no threshold.
    HalfMargin,
    /// Equal errors on the evaluated pairs, because the card has neither a threshold nor a margin.
    SamePairs,
}

/// The results of a model on some images.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The model and the images.
    pub subject: Subject,
    /// All pairs.
    pub comparisons: Comparisons,
    /// The distance up to which training pushed different pairs apart, if the card states it.
    pub margin: Option<f64>,
    /// The threshold in use.
    pub threshold: Threshold,
    /// The source of the threshold.
    pub threshold_source: ThresholdSource,
    /// The errors at the threshold.
    pub rates: Rates,
    /// The FMRs of `measures` and `band`; they include [`TABLE_FMRS`].
    pub grid: Grid,
    /// The results.
    pub measures: Measures,
    /// The settings of the resampling.
    pub bootstrap: Bootstrap,
    /// The intervals of the results; `None` without resamples.
    pub band: Option<Band>,
    /// How well each image finds the others of its identity; `None` for a list.
    pub retrieval: Option<Retrieval>,
    /// The one-shot error, if requested.
    pub one_shot: Option<OneShotRate>,
    /// The operating points: the threshold in use, and others chosen on the evaluated pairs.
    pub operating: Vec<Operating>,
    /// The check of the probabilities.
    pub probability: ProbabilityCheck,
    /// The errors on identities that a threshold was not chosen on; `None` if there are too few identities.
    pub unseen: Option<Unseen>,
    /// How much the images are like those of the calibration; `None` if the model's card does not describe these.
    pub familiar: Option<Familiar>,
    /// The map of the images, if requested.
    pub map: Option<Map>,
    /// The training history, if the run folder is known.
    pub history: Vec<Entry>,
    /// The origin of the results: names and values.
    pub origin: Vec<(&'static str, String)>,
}

/// A two-dimensional map of images; distances on the map approximate the model's distances.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The images, as `[identity, image of the identity]`.
    pub images: Vec<[u32; 2]>,
    /// The coordinates.
    pub plane: Plane,
}

impl Display for ThresholdSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "(from the model)",
            Self::HalfMargin => "(half the margin)",
            Self::SamePairs => "(equal errors on these pairs)",
        })
    }
}

impl Evaluation {
    /// Measures all pairs. The threshold is that of the card, or half the margin, or the one with equal errors.
    #[expect(clippy::missing_panics_doc, reason = "comparisons have both kinds of pairs")]
    pub fn of(embedded: &Embedded, bootstrap: Bootstrap) -> Result<Self, NotComparable> {
        let (subject, comparisons) = (embedded.subject(), embedded.comparisons()?);
        let Card { threshold, margin, ref calibration, .. } = *embedded.card();
        // Logarithmic steps for the curves, finer than the drawing.
        let even = (0..=160).map(|step| 10_f64.powf(-f64::from(step) / 32.0));
        let grid = Grid::new(even.chain(TABLE_FMRS));
        let [same, different] = comparisons.distances();
        let scores = Scores::new(&same, &different).expect("comparisons have both kinds of pairs");
        let half_margin = || margin.and_then(|margin| Threshold::try_from(margin / 2.0).ok());
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
            .filter_map(|aim| Operating::of(aim, &grid, &measures, band.as_ref()))
            .collect();
        let probability =
            ProbabilityCheck::of(&comparisons, &scores, calibration.as_ref(), bootstrap);
        let unseen = Unseen::of(&comparisons, &TABLE_FMRS, bootstrap);
        let retrieval = Retrieval::of(&comparisons, bootstrap);
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
            retrieval,
            one_shot: None,
            operating,
            probability,
            unseen,
            familiar: embedded.familiar(),
            map: None,
            history: Vec::new(),
            origin: Vec::new(),
        })
    }

    /// Returns a warning if the labels are probably inverted.
    pub fn warning(&self) -> Option<InvertedLabels> {
        let interval = || self.band.as_ref().map(|band| band.eer);
        InvertedLabels::check(&self.comparisons, self.measures.eer, interval).err()
    }

    /// Returns the index in the grid of an FMR of [`TABLE_FMRS`].
    #[expect(clippy::missing_panics_doc, reason = "the grid was made with them")]
    pub fn grid_index(&self, table_fmr: f64) -> usize {
        let found = self.grid.rates().iter().position(|rate| rate.to_bits() == table_fmr.to_bits());
        found.expect("the grid holds the table's FMRs")
    }

    /// Returns the number of same pairs; at least 1.
    pub fn same_pairs(&self) -> usize {
        self.comparisons.pairs().iter().filter(|pair| pair.is_same).count()
    }

    /// Returns the number of different pairs; at least 1.
    pub fn different_pairs(&self) -> usize {
        self.comparisons.pairs().len() - self.same_pairs()
    }

    /// Returns the smallest FMR that can be measured with this number of different pairs (rule of 3).
    pub fn smallest_fmr(&self) -> f64 {
        3.0 / real(self.different_pairs())
    }

    /// Returns the number of independent different pairs that would measure the FMR with the same variance.
    ///
    /// Pairs that share an identity are not independent. Resampling identities gives the variance of the FMR, and
    /// `FMR (1 - FMR) / variance` independent pairs have the same variance. It is computed at the smallest FMR of the
    /// table that the rule of 3 allows. `None` without resamples, or if the FMR does not vary.
    pub fn effective_different_pairs(&self) -> Option<f64> {
        let measurable = self.operating.iter().filter(|point| match point.aim {
            Aim::Fmr(fmr) => self.smallest_fmr() <= fmr && 0.0 < point.rates.fmr,
            _ => false,
        });
        let point = measurable.min_by(|a, b| a.rates.fmr.total_cmp(&b.rates.fmr))?;
        let deviation = point.rates_interval?.fmr_deviation;
        let fmr = point.rates.fmr;
        let pairs = 3.0 / self.smallest_fmr();
        (0.0 < deviation).then(|| (fmr * (1.0 - fmr) / deviation.powi(2)).min(pairs))
    }

    /// Returns the number of compared images.
    pub fn images(&self) -> u32 {
        self.comparisons.images().iter().sum()
    }

    /// Describes the model and the images in one line.
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

    /// Returns the name of an image.
    pub fn image_name(&self, identity: u32, image: u32) -> &str {
        &self.subject.images[identity as usize][image as usize]
    }
}
