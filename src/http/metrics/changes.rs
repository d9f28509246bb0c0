//! Metrics of changes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::engine::judgement::ChangeVerdict;

/// The verdicts on two images of a scene.
pub(crate) struct Changes {
    changed: Counter,
    unchanged: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

impl Changes {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let verdicts = Family::<VerdictLabel, Counter>::default();
        let help = "Pairs of images that were compared place by place, by verdict";
        registry.register("changes", help, verdicts.clone());
        let of = |verdict: ChangeVerdict| {
            verdicts.get_or_create_owned(&VerdictLabel { verdict: verdict.word() })
        };
        Self { changed: of(ChangeVerdict::Changed), unchanged: of(ChangeVerdict::Unchanged) }
    }

    pub(crate) fn count(&self, verdict: ChangeVerdict) {
        match verdict {
            ChangeVerdict::Changed => &self.changed,
            ChangeVerdict::Unchanged => &self.unchanged,
        }
        .inc();
    }
}
