//! Keys from the settings.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::entry::{Entry, InvalidKey};

/// Keys from the settings: a list, or a text with commas between the keys, as in an environment variable.
///
/// Invariant: there is at least one.
#[derive(Clone, Debug)]
pub struct Fixed(pub(super) Vec<Entry>);

/// A derived implementation would quote unexpected values in its messages.
impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Fixed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys, or keys separated by commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Fixed, E> {
        fixed(text.split(',').map(|key| Ok(key.trim().to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Fixed, A::Error> {
        fixed(std::iter::from_fn(|| texts.next_element::<String>().transpose()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Fixed, E> {
        Err(E::custom(InvalidKey::TooShort))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Fixed, E> {
        Err(E::custom("a key must be a text, not a number"))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Fixed, E> {
        Err(E::custom("a key must be a text, not a number"))
    }
}

fn fixed<E: de::Error>(texts: impl Iterator<Item = Result<String, E>>) -> Result<Fixed, E> {
    let numbered = texts.zip(1..);
    let keys = numbered
        .map(|(text, number)| {
            Entry::parse(&text?).map_err(|why| E::custom(format_args!("key {number}: {why}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(E::custom("the list is empty; remove the setting if no keys are required"));
    }
    Ok(Fixed(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        const KEY: &str = "first-key-0123456789";
        let fixed: Fixed = serde_json::from_str(&format!(r#"["team:{KEY}"]"#)).expect("a key");
        let message = format!("{fixed:?}");
        assert!(message.contains("Key(..)") && !message.contains(KEY), "{message}");
    }
}
