//! Whether a model was trained on those it is measured on.

use serde::Serialize;
use serde_json::Value;

use crate::statistics::Unit;

/// What a model's provenance says of the identities that it is measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "acquaintance", content = "identities")]
pub enum Acquaintance {
    /// Nothing: the model states none, or was trained on images of another name.
    Unknown,
    /// All of them were held out of its training.
    Unseen,
    /// These were not held out of its training.
    Seen(Vec<String>),
}

impl Acquaintance {
    /// Looks up `identities` of the images named `data` in a provenance that the trainer wrote:
    /// `{"data": {"name": …}, "held_out": […], …}`.
    pub fn of(provenance: Option<&Value>, data: &str, identities: &[String]) -> Self {
        let stated = provenance.and_then(|it| {
            let name = it.get("data")?.get("name")?.as_str()?;
            Some((name, it.get("held_out")?.as_array()?))
        });
        let Some((_, held_out)) = stated.filter(|(name, _)| *name == data) else {
            return Self::Unknown;
        };
        let is_held_out = |name: &String| held_out.iter().any(|it| it.as_str() == Some(name));
        let seen: Vec<_> = identities.iter().filter(|it| !is_held_out(it)).cloned().collect();
        if seen.is_empty() { Self::Unseen } else { Self::Seen(seen) }
    }

    /// A plain warning, if there is something to warn of.
    pub fn warning(&self, unit: Unit) -> Option<String> {
        let Self::Seen(seen) = self else { return None };
        Some(format!(
            "the model was trained on {} of these {} ({}{}), so its figures flatter: look at those held out",
            seen.len(),
            unit.plural(),
            seen.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", "),
            if 5 < seen.len() { ", …" } else { "" },
        ))
    }

    /// How the identities relate to the training, where it is known.
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
    fn check(provenance: &Value, identities: &[&str], expected: &Acquaintance) {
        let identities: Vec<String> = identities.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(Acquaintance::of(Some(provenance), "faces", &identities), *expected);
    }

    #[test]
    fn who_was_not_held_out_was_trained_on() {
        let provenance = json!({"data": {"name": "faces"}, "held_out": ["s1", "s5"]});
        check(&provenance, &["s1", "s5"], &Acquaintance::Unseen);
        check(&provenance, &["s1", "s2"], &Acquaintance::Seen(vec!["s2".to_owned()]));
    }

    #[test]
    fn other_images_and_other_trainers_say_nothing() {
        let others = json!({"data": {"name": "letters"}, "held_out": ["s1"]});
        check(&others, &["s1"], &Acquaintance::Unknown);
        check(&json!({"data": "faces"}), &["s1"], &Acquaintance::Unknown);
        check(&json!(3), &["s1"], &Acquaintance::Unknown);
        assert_eq!(Acquaintance::of(None, "faces", &[]), Acquaintance::Unknown);
    }

    #[test]
    fn a_warning_names_a_few() {
        let many = Acquaintance::Seen((0..9).map(|it| format!("s{it}")).collect());
        let warning = many.warning(Unit::Identity).expect("a warning");
        assert!(warning.contains("9 of these identities (s0, s1, s2, s3, s4, …)"), "{warning}");
        assert_eq!(Acquaintance::Unseen.warning(Unit::Component), None);
    }
}
