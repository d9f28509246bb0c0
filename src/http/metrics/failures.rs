//! Metrics of failures and swaps of the model.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::OutcomeLabel;

/// Counters of rare events. They start at zero.
pub(crate) struct Failures {
    pub(crate) errors: Counter,
    pub(crate) panics: Counter,
    pub(crate) renewals: Outcomes,
    pub(crate) swaps: Outcomes,
}

/// How often an operation succeeded, and how often it failed.
pub(crate) struct Outcomes {
    ok: Counter,
    failed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

impl Failures {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let failures = Family::<KindLabel, Counter>::default();
        let help = "Runs of the model that ended in an error or a panic";
        registry.register("model_failures", help, failures.clone());
        let failure = |kind| failures.get_or_create_owned(&KindLabel { kind });
        let help =
            "Model sessions restarted after a panic; a failed restart leaves one session less";
        let renewals = Outcomes::register(registry, "model_renewals", help);
        let help = "Attempts to replace the model in service";
        let swaps = Outcomes::register(registry, "swaps", help);
        Self { errors: failure("error"), panics: failure("panic"), renewals, swaps }
    }
}

impl Outcomes {
    fn register(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let family = Family::<OutcomeLabel, Counter>::default();
        registry.register(name, help, family.clone());
        let of = |outcome| family.get_or_create_owned(&OutcomeLabel { outcome });
        Self { ok: of("ok"), failed: of("failed") }
    }

    pub(crate) fn count(&self, ok: bool) {
        if ok { &self.ok } else { &self.failed }.inc();
    }
}
