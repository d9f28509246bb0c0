//! Reads typed values of a card, and names the key in errors.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::CardError;

/// Reads typed values, and names the key in errors.
pub(super) struct Values<'a>(pub(super) &'a BTreeMap<String, String>);

impl Values<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Result<Option<T>, CardError> {
        self.get(key)
            .map(|text| text.trim().parse().map_err(|err| invalid(key, text, err)))
            .transpose()
    }

    pub(super) fn required<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Result<T, CardError> {
        self.parsed(key)?.ok_or(CardError::Missing(key))
    }

    pub(super) fn json<T: DeserializeOwned>(
        &self,
        key: &'static str,
    ) -> Result<Option<T>, CardError> {
        self.get(key)
            .map(|text| serde_json::from_str(text).map_err(|err| invalid(key, text, err)))
            .transpose()
    }

    pub(super) fn invalid(&self, key: &'static str, why: impl Display) -> CardError {
        invalid(key, self.get(key).unwrap_or_default(), why)
    }
}

/// The error of an invalid value, which is shortened.
pub(super) fn invalid(key: &'static str, value: &str, why: impl Display) -> CardError {
    const SHOWN: usize = 60;
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    CardError::Invalid { key, value: shown, why: why.to_string() }
}
