//! Metrics of verdicts, distances and familiarity, by model. A drift in these shows that the images have changed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use siamese_core::score::{UNFAMILIAR, Verdict};

use crate::engine::judgement::Judgement;

/// Bucket limits. Unit embeddings are at most 2 apart; the distances of others depend on the margin of their training.
const DISTANCES: [f64; 24] = [
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5,
    3.0, 4.0, 6.0, 10.0, 20.0,
];

const GAPS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0];

const FAMILIARITIES: [f64; 8] = [0.01, UNFAMILIAR, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0];

const VERDICTS: [&str; 2] = ["same", "different"];

/// The most models that are exported although they are no longer in service. Each has about 70 lines, and a collector keeps
/// the series of models that are gone.
const FORMER: usize = 3;

/// The metrics of the models in service and of recent models.
pub(crate) struct Verdicts {
    counts: Family<VerdictLabels, Counter>,
    distances: Family<DigestLabel, Histogram>,
    gaps: Family<VerdictLabels, Histogram>,
    familiarities: Family<DigestLabel, Histogram>,
    unfamiliar: Family<DigestLabel, Counter>,
    exported: RwLock<Exported>,
}

#[derive(Default)]
struct Exported {
    /// The exported models by digest, the latest last.
    models: VecDeque<(Arc<str>, ModelVerdicts)>,
    /// The digests of the models in service, by name.
    in_service: HashMap<String, Arc<str>>,
}

/// The metrics of one model.
struct ModelVerdicts {
    distances: Histogram,
    familiarities: Histogram,
    unfamiliar: Counter,
    same: VerdictMetrics,
    different: VerdictMetrics,
}

struct VerdictMetrics {
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

impl Verdicts {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let all = Self {
            counts: Family::default(),
            distances: Family::new_with_constructor(|| Histogram::new(DISTANCES)),
            gaps: Family::new_with_constructor(|| Histogram::new(GAPS)),
            familiarities: Family::new_with_constructor(|| Histogram::new(FAMILIARITIES)),
            unfamiliar: Family::default(),
            exported: RwLock::default(),
        };
        registry.register("verdicts", "Verdicts, by model", all.counts.clone());
        registry.register(
            "distance",
            "Distances between the two embeddings of a pair, by model",
            all.distances.clone(),
        );
        // One histogram for both verdicts would have negative sums, which OpenMetrics forbids.
        registry.register(
            "threshold_gap",
            "Difference between distance and threshold, as a positive number, by verdict and model",
            all.gaps.clone(),
        );
        registry.register(
            "familiarity",
            "How much images are like those of the calibration: the share of these that are as unusual, by model",
            all.familiarities.clone(),
        );
        registry.register(
            "unfamiliar_images",
            "Images that are unlike those of the calibration, by model",
            all.unfamiliar.clone(),
        );
        all
    }

    /// Exports the metrics of a model that came into service under a name, from zero if its digest is new.
    pub(crate) fn begin(&self, name: &str, digest: &str) {
        let digest: Arc<str> = digest.into();
        let judged = self.of(&digest);
        let mut exported = self.exported.write().unwrap_or_else(PoisonError::into_inner);
        exported.models.retain(|(other, _)| *other != digest);
        exported.models.push_back((digest.clone(), judged));
        exported.in_service.insert(name.to_owned(), digest);
        self.forget_oldest(&mut exported);
    }

    /// The model with this name is no longer in service.
    pub(crate) fn end(&self, name: &str) {
        let mut exported = self.exported.write().unwrap_or_else(PoisonError::into_inner);
        exported.in_service.remove(name);
        self.forget_oldest(&mut exported);
    }

    /// Keeps the models in service, and the latest [`FORMER`] of the others.
    fn forget_oldest(&self, exported: &mut Exported) {
        let Exported { models, in_service } = exported;
        let is_former = |digest: &Arc<str>| !in_service.values().any(|other| other == digest);
        let mut former = models.iter().filter(|(digest, _)| is_former(digest)).count();
        models.retain(|(digest, _)| {
            let is_kept = former <= FORMER || !is_former(digest);
            if !is_kept {
                former -= 1;
                self.forget(digest);
            }
            is_kept
        });
    }

    /// Counts a judgement of a model. Judgements of a model that is no longer exported are not counted.
    pub(crate) fn count(&self, digest: &str, judgement: &Judgement) {
        self.if_exported(digest, |model| model.count(judgement));
    }

    /// Counts an image with its familiarity to a model, if the model is still exported.
    pub(crate) fn see(&self, digest: &str, familiarity: f64) {
        self.if_exported(digest, |model| {
            model.familiarities.observe(familiarity);
            if familiarity < UNFAMILIAR {
                model.unfamiliar.inc();
            }
        });
    }

    fn if_exported(&self, digest: &str, count: impl FnOnce(&ModelVerdicts)) {
        let exported = self.exported.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, model)) = exported.models.iter().rev().find(|(other, _)| **other == *digest)
        {
            count(model);
        }
    }

    fn of(&self, digest: &Arc<str>) -> ModelVerdicts {
        let metrics = |verdict| {
            let labels = VerdictLabels { verdict, digest: digest.clone() };
            VerdictMetrics {
                verdicts: self.counts.get_or_create_owned(&labels),
                gaps: self.gaps.get_or_create_owned(&labels),
            }
        };
        let [same, different] = VERDICTS.map(metrics);
        let model = DigestLabel { digest: digest.clone() };
        ModelVerdicts {
            same,
            different,
            distances: self.distances.get_or_create_owned(&model),
            familiarities: self.familiarities.get_or_create_owned(&model),
            unfamiliar: self.unfamiliar.get_or_create_owned(&model),
        }
    }

    fn forget(&self, digest: &Arc<str>) {
        for verdict in VERDICTS {
            let labels = VerdictLabels { verdict, digest: digest.clone() };
            self.counts.remove(&labels);
            self.gaps.remove(&labels);
        }
        let model = DigestLabel { digest: digest.clone() };
        self.distances.remove(&model);
        self.familiarities.remove(&model);
        self.unfamiliar.remove(&model);
    }
}

impl ModelVerdicts {
    fn count(&self, judgement: &Judgement) {
        let distance = judgement.distance.get();
        let metrics = match judgement.verdict {
            Verdict::Same => &self.same,
            Verdict::Different => &self.different,
        };
        metrics.verdicts.inc();
        metrics.gaps.observe((distance - judgement.threshold.get()).abs());
        self.distances.observe(distance);
    }
}
