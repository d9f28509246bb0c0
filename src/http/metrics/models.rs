//! Metrics of the models' runs, by the name of the model.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::seconds;
use crate::engine::{ModelEvent, Stage, batch};

/// Bucket limits.
const IMAGES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

const STAGES: [Stage; 4] = [Stage::Decode, Stage::Search, Stage::Queue, Stage::Model];

const KINDS: [&str; 2] = ["error", "panic"];

const OUTCOMES: [&str; 2] = ["ok", "failed"];

const LOOKUPS: [&str; 2] = ["hit", "miss"];

/// The metrics of all models in service.
pub(crate) struct Models {
    stages: Family<StageLabels, Histogram>,
    batches: Family<ModelLabel, Histogram>,
    lookups: Family<OutcomeLabels, Counter>,
    failures: Family<KindLabels, Counter>,
    renewals: Family<OutcomeLabels, Counter>,
    swaps: Family<OutcomeLabels, Counter>,
    of: RwLock<HashMap<Arc<str>, Arc<OneModel>>>,
}

/// The metrics of one model. They start at zero.
struct OneModel {
    stages: [Histogram; 4],
    batches: Histogram,
    lookups: [Counter; 2],
    failures: [Counter; 2],
    renewals: [Counter; 2],
    swaps: [Counter; 2],
}

/// The name of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ModelLabel {
    pub(crate) model: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    model: Arc<str>,
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    model: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    model: Arc<str>,
    kind: &'static str,
}

impl Models {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let models = Self {
            stages: Family::new_with_constructor(seconds as fn() -> Histogram),
            batches: Family::new_with_constructor(|| Histogram::new(IMAGES)),
            lookups: Family::default(),
            failures: Family::default(),
            renewals: Family::default(),
            swaps: Family::default(),
            of: RwLock::default(),
        };
        let help = "Time that requests spend in each stage, by model";
        registry.register_with_unit("stage", help, Unit::Seconds, models.stages.clone());
        let help = "Images in one run of the model";
        registry.register("batch_images", help, models.batches.clone());
        let help = "Images looked up in the embedding cache";
        registry.register("cache_lookups", help, models.lookups.clone());
        let help = "Runs of the model that ended in an error or a panic";
        registry.register("model_failures", help, models.failures.clone());
        let help =
            "Model sessions restarted after a panic; a failed restart leaves one session less";
        registry.register("model_renewals", help, models.renewals.clone());
        let help = "Attempts to replace the model in service";
        registry.register("swaps", help, models.swaps.clone());
        models
    }

    /// Counts an event of the model with this name. Only models in service are counted.
    pub(crate) fn event(&self, name: &str, event: &ModelEvent) {
        match event {
            ModelEvent::InService(_) => return self.begin(name),
            ModelEvent::Removed => return self.forget(name),
            _ => {}
        }
        let of = self.of.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = of.get(name) {
            model.event(event);
        }
    }

    /// Exports the metrics of a model, from zero if it is new.
    fn begin(&self, name: &str) {
        let mut of = self.of.write().unwrap_or_else(PoisonError::into_inner);
        if of.contains_key(name) {
            return;
        }
        let name: Arc<str> = name.into();
        let outcomes = |family: &Family<OutcomeLabels, Counter>, outcomes: [_; 2]| {
            outcomes.map(|outcome| {
                family.get_or_create_owned(&OutcomeLabels { model: name.clone(), outcome })
            })
        };
        let model = OneModel {
            stages: STAGES.map(|stage| {
                let stage = stage.as_str();
                self.stages.get_or_create_owned(&StageLabels { model: name.clone(), stage })
            }),
            batches: self.batches.get_or_create_owned(&ModelLabel { model: name.clone() }),
            lookups: outcomes(&self.lookups, LOOKUPS),
            failures: KINDS.map(|kind| {
                self.failures.get_or_create_owned(&KindLabels { model: name.clone(), kind })
            }),
            renewals: outcomes(&self.renewals, OUTCOMES),
            swaps: outcomes(&self.swaps, OUTCOMES),
        };
        of.insert(name, Arc::new(model));
    }

    fn forget(&self, name: &str) {
        let removed = self.of.write().unwrap_or_else(PoisonError::into_inner).remove_entry(name);
        let Some((model, _)) = removed else { return };
        self.batches.remove(&ModelLabel { model: model.clone() });
        for stage in STAGES.map(Stage::as_str) {
            self.stages.remove(&StageLabels { model: model.clone(), stage });
        }
        for kind in KINDS {
            self.failures.remove(&KindLabels { model: model.clone(), kind });
        }
        for outcome in LOOKUPS {
            self.lookups.remove(&OutcomeLabels { model: model.clone(), outcome });
        }
        for outcome in OUTCOMES {
            let labels = OutcomeLabels { model: model.clone(), outcome };
            self.renewals.remove(&labels);
            self.swaps.remove(&labels);
        }
    }
}

impl OneModel {
    fn event(&self, event: &ModelEvent) {
        match event {
            ModelEvent::InService(_) | ModelEvent::Removed | ModelEvent::Seen { .. } => {}
            ModelEvent::Swapped { ok } => count(&self.swaps, *ok),
            ModelEvent::LookedUp { is_known } => count(&self.lookups, *is_known),
            ModelEvent::Took(stage, took) => {
                let at = STAGES.iter().position(|other| other == stage);
                self.stages[at.expect("all stages are listed")].observe(took.as_secs_f64());
            }
            ModelEvent::Run(batch::Event::Taken { run: 0, .. }) => {}
            ModelEvent::Run(batch::Event::Taken { run, .. }) => {
                self.batches.observe(f64::from(u32::try_from(*run).unwrap_or(u32::MAX)));
            }
            ModelEvent::Run(batch::Event::Failed) => count(&self.failures, true),
            ModelEvent::Run(batch::Event::Panicked) => count(&self.failures, false),
            ModelEvent::Run(batch::Event::Renewed) => count(&self.renewals, true),
            ModelEvent::Run(batch::Event::Lost) => count(&self.renewals, false),
        }
    }
}

/// Counts the first or the second of two.
fn count([first, second]: &[Counter; 2], is_first: bool) {
    if is_first { first } else { second }.inc();
}
