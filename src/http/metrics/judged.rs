//! What one tower's verdicts were, and how far apart its pairs: where these drift, so does what is asked of it.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use siamese_core::score::Verdict;

use crate::engine::judgement::Judgement;

/// Unit embeddings are up to 2 apart; others about as far as the margin they were trained with.
const DISTANCES: [f64; 24] = [
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5,
    3.0, 4.0, 6.0, 10.0, 20.0,
];

const GAPS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0];

const VERDICTS: [&str; 2] = ["same", "different"];

/// Towers whose counters are told: the one in service, and those before it. Each has some 55 lines of a scrape, and a
/// collector keeps what it has seen of those that are gone.
const TOLD: usize = 4;

/// The counters of the towers in service of late.
pub(crate) struct AllJudged {
    verdicts: Family<VerdictLabels, Counter>,
    distances: Family<DigestLabel, Histogram>,
    gaps: Family<VerdictLabels, Histogram>,
    /// The models that are told, the latest last.
    told: RwLock<VecDeque<(Arc<str>, Judged)>>,
}

/// The counters of one tower, at hand.
struct Judged {
    distances: Histogram,
    same: Ruled,
    different: Ruled,
}

struct Ruled {
    verdicts: Counter,
    gaps: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
    digest: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DigestLabel {
    digest: Arc<str>,
}

impl AllJudged {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let all = Self {
            verdicts: Family::default(),
            distances: Family::new_with_constructor(|| Histogram::new(DISTANCES)),
            gaps: Family::new_with_constructor(|| Histogram::new(GAPS)),
            told: RwLock::default(),
        };
        registry.register("verdicts", "Verdicts given, by tower", all.verdicts.clone());
        registry.register("distance", "Distances of pairs, by tower", all.distances.clone());
        // One histogram of both sides would have negative sums, which OpenMetrics forbids.
        registry.register(
            "threshold_gap",
            "How far from the threshold the distances fell, on the verdict's side of it, by tower",
            all.gaps.clone(),
        );
        all
    }

    /// Has a model that comes into service told from now on, from zero where it is new; the oldest is told no more.
    pub(crate) fn begin(&self, digest: &str) {
        let digest: Arc<str> = digest.into();
        let judged = self.of(&digest);
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(other, _)| *other != digest);
        told.push_back((digest, judged));
        while TOLD < told.len() {
            let (oldest, _) = told.pop_front().expect("there are more than none");
            self.forget(&oldest);
        }
    }

    /// Counts a pair of a model's. What still goes on with one that is told no more is not counted.
    pub(crate) fn count(&self, digest: &str, judgement: &Judgement) {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, judged)) = told.iter().rev().find(|(other, _)| **other == *digest) {
            judged.count(judgement);
        }
    }

    fn of(&self, digest: &Arc<str>) -> Judged {
        let ruled = |verdict| {
            let labels = VerdictLabels { verdict, digest: digest.clone() };
            Ruled {
                verdicts: self.verdicts.get_or_create_owned(&labels),
                gaps: self.gaps.get_or_create_owned(&labels),
            }
        };
        let [same, different] = VERDICTS.map(ruled);
        let distances = DigestLabel { digest: digest.clone() };
        Judged { same, different, distances: self.distances.get_or_create_owned(&distances) }
    }

    fn forget(&self, digest: &Arc<str>) {
        for verdict in VERDICTS {
            let labels = VerdictLabels { verdict, digest: digest.clone() };
            self.verdicts.remove(&labels);
            self.gaps.remove(&labels);
        }
        self.distances.remove(&DigestLabel { digest: digest.clone() });
    }
}

impl Judged {
    fn count(&self, judgement: &Judgement) {
        let distance = judgement.distance.get();
        let ruled = match judgement.verdict {
            Verdict::Same => &self.same,
            Verdict::Different => &self.different,
        };
        ruled.verdicts.inc();
        ruled.gaps.observe((distance - judgement.threshold.get()).abs());
        self.distances.observe(distance);
    }
}
