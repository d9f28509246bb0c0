//! The held-out identities in a provenance.
//!
//! Identities can be people, so a model contains no names of them. It contains a digest of each name, salted with the
//! digest of the training data. Whoever has the images can find out which identities were held out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::source::digest;

/// The key in a provenance.
const KEY: &str = "held_out";
/// The hexadecimal digits of a name's digest: enough to tell billions of names apart.
const DIGITS: usize = 16;

/// The identities that a training held out, without their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut {
    salt: String,
    digests: BTreeSet<String>,
}

impl HeldOut {
    /// Takes the names of held-out identities. `salt` is the digest of the training data.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, salt: &str) -> Self {
        let digests = names.into_iter().map(|name| digest_of(name, salt)).collect();
        Self { salt: salt.to_owned(), digests }
    }

    /// Reads the held-out identities of a provenance, `{"data": {"digest": …}, "held_out": {"digests": […]}, …}`. The
    /// first models have a list of names instead.
    pub fn read(provenance: &Value) -> Option<Self> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let salt = provenance.pointer("/data/digest").and_then(Value::as_str).unwrap_or_default();
        let held_out = provenance.get(KEY)?;
        if let Some(names) = texts(held_out) {
            return Some(Self::new(names.iter().map(String::as_str), salt));
        }
        let digests = texts(held_out.get("digests")?)?;
        Some(Self { salt: salt.to_owned(), digests: digests.into_iter().collect() })
    }

    /// Whether the identity of this name was held out.
    pub fn contains(&self, name: &str) -> bool {
        self.digests.contains(&digest_of(name, &self.salt))
    }

    /// The form in a model's file.
    pub fn stored(&self) -> Value {
        json!({"count": self.digests.len(), "digests": self.digests})
    }

    /// The form in responses and reports: a count, and one digest over all.
    pub fn published(&self) -> Value {
        let all: Vec<&str> = self.digests.iter().map(String::as_str).collect();
        json!({"count": self.digests.len(), "digest": digest::of(all.join("\n").as_bytes())})
    }
}

/// The provenance with the held-out identities in another form, if it has them.
pub(super) fn with(mut provenance: Value, form: impl FnOnce(&HeldOut) -> Value) -> Value {
    if let Some(held_out) = HeldOut::read(&provenance) {
        provenance[KEY] = form(&held_out);
    }
    provenance
}

fn digest_of(name: &str, salt: &str) -> String {
    let digest = digest::of(format!("{salt}\0{name}").as_bytes());
    digest.trim_start_matches("sha256:").chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> Value {
        json!({"data": {"name": "staff", "digest": "sha256:00"}, "held_out": ["Ann", "Bob"], "seed": 1})
    }

    #[test]
    fn names_become_digests_that_recognise_them() {
        let stored = with(old(), HeldOut::stored);
        assert_eq!((&stored["held_out"]["count"], &stored["seed"]), (&json!(2), &json!(1)));
        let text = stored.to_string();
        assert!(!text.contains("Ann") && !text.contains("Bob"), "{text}");
        for provenance in [old(), stored.clone()] {
            let held_out = HeldOut::read(&provenance).expect("held-out identities");
            let found = ["Ann", "Bob", "Cleo"].map(|name| held_out.contains(name));
            assert_eq!(found, [true, true, false], "{provenance}");
        }
        assert_eq!(with(stored.clone(), HeldOut::stored), stored);
    }

    #[test]
    fn one_digest_over_all_names_is_published() {
        let published = with(old(), HeldOut::published);
        assert_eq!(with(with(old(), HeldOut::stored), HeldOut::published), published);
        let held_out = published["held_out"].as_object().expect("an object");
        assert_eq!(held_out.keys().collect::<Vec<_>>(), ["count", "digest"]);
        let mut other = old();
        other["held_out"] = json!(["Ann", "Cleo"]);
        assert_ne!(with(other, HeldOut::published), published);
    }

    #[test]
    fn the_salt_is_the_digest_of_the_data() {
        let [one, other] = ["sha256:00", "sha256:01"].map(|salt| HeldOut::new(["Ann"], salt));
        assert_ne!(one.stored(), other.stored());
    }

    #[test]
    fn the_provenance_of_others_stays_as_it_is() {
        for provenance in
            [json!(3), json!({"held_out": 4}), json!({"held_out": [1]}), json!({"by": "me"})]
        {
            assert_eq!(with(provenance.clone(), HeldOut::published), provenance);
        }
    }
}
