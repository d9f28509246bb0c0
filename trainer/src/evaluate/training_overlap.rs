//! Whether a model was trained on the identities that it is measured on.

use serde::Serialize;
use serde_json::Value;
use siamese_core::model::HeldOut;

use crate::statistics::Unit;

/// Whether a model was trained on the identities that it is measured on, according to its provenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "overlap", content = "identities")]
pub enum TrainingOverlap {
    /// Unknown: there is no provenance, or the model was trained on data with another name.
    Unknown,
    /// All identities were held out.
    Unseen,
    /// These identities were not held out.
    Seen(Vec<String>),
}

impl TrainingOverlap {
    /// Looks up `identities` of the data named `data` in a provenance that the trainer wrote:
    /// `{"data": {"name": …}, "held_out": …, …}`.
    pub fn of(provenance: Option<&Value>, data: &str, identities: &[String]) -> Self {
        let of_data = provenance
            .filter(|value| value.pointer("/data/name").and_then(Value::as_str) == Some(data));
        let Some(held_out) = of_data.and_then(HeldOut::read) else { return Self::Unknown };
        let seen: Vec<_> =
            identities.iter().filter(|name| !held_out.contains(name)).cloned().collect();
        if seen.is_empty() { Self::Unseen } else { Self::Seen(seen) }
    }

    /// Returns a warning if the model was trained on some of the identities.
    pub fn warning(&self, unit: Unit) -> Option<String> {
        let Self::Seen(seen) = self else { return None };
        Some(format!(
            "the model was trained on {} of these {} ({}{}), so the results are too good: use held-out ones",
            seen.len(),
            unit.plural(),
            seen.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", "),
            if 5 < seen.len() { ", …" } else { "" },
        ))
    }

    /// Describes how the identities relate to the training data, if known.
    pub fn split(&self, unit: Unit) -> Option<&'static str> {
        match (self, unit) {
            (Self::Unknown, _) => None,
            (Self::Unseen, Unit::Identity) => Some("identities unseen in training"),
            (Self::Unseen, Unit::Component) => Some("images unseen in training"),
            (Self::Seen(_), Unit::Identity) => Some("identities seen in training"),
            (Self::Seen(_), Unit::Component) => Some("images seen in training"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(provenance: &Value, identities: &[&str], expected: &TrainingOverlap) {
        let identities: Vec<String> = identities.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(TrainingOverlap::of(Some(provenance), "faces", &identities), *expected);
    }

    #[test]
    fn identities_that_were_not_held_out_were_trained_on() {
        let provenance = json!({"data": {"name": "faces"}, "held_out": ["s1", "s5"]});
        check(&provenance, &["s1", "s5"], &TrainingOverlap::Unseen);
        check(&provenance, &["s1", "s2"], &TrainingOverlap::Seen(vec!["s2".to_owned()]));
    }

    #[test]
    fn the_provenance_of_other_data_or_trainers_is_ignored() {
        let others = json!({"data": {"name": "letters"}, "held_out": ["s1"]});
        check(&others, &["s1"], &TrainingOverlap::Unknown);
        check(&json!({"data": "faces"}), &["s1"], &TrainingOverlap::Unknown);
        check(&json!(3), &["s1"], &TrainingOverlap::Unknown);
        assert_eq!(TrainingOverlap::of(None, "faces", &[]), TrainingOverlap::Unknown);
    }

    #[test]
    fn a_warning_names_a_few() {
        let many = TrainingOverlap::Seen((0..9).map(|number| format!("s{number}")).collect());
        let warning = many.warning(Unit::Identity).expect("a warning");
        assert!(warning.contains("9 of these identities (s0, s1, s2, s3, s4, …)"), "{warning}");
        assert_eq!(TrainingOverlap::Unseen.warning(Unit::Component), None);
    }
}
