//! Where a tower's card stands: in its own metadata, or in a file beside it.

use std::collections::BTreeMap;
use std::path::Path;

use ort::session::Session;

use super::card::PREFIX;
use super::{Card, LoadError};

/// The card in the file, or else in the sidecar beside it.
pub(super) fn read_card(session: &Session, path: &Path) -> Result<Card, LoadError> {
    let stem = path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let no_model = |source| LoadError::NoModel { path: path.to_owned(), source };
    let sidecar = path.with_extension("toml");

    let metadata = session.metadata().map_err(no_model)?;
    let keys = metadata.custom_keys().map_err(no_model)?;
    let ours: BTreeMap<String, String> = keys
        .iter()
        .filter_map(|key| Some((key.strip_prefix(PREFIX)?.to_owned(), metadata.custom(key)?)))
        .collect();

    match (ours.is_empty(), sidecar.is_file()) {
        (true, false) => Err(LoadError::NoCard { path: path.to_owned(), sidecar }),
        (false, true) => Err(LoadError::TwoCards { path: path.to_owned(), sidecar }),
        (false, false) => Card::parse(&ours, &stem)
            .map_err(|source| LoadError::Card { path: path.to_owned(), source }),
        (true, true) => {
            let text = std::fs::read_to_string(&sidecar)
                .map_err(|source| LoadError::Unreadable { path: sidecar.clone(), source })?;
            let values = values(&text)
                .map_err(|source| LoadError::Sidecar { sidecar: sidecar.clone(), source })?;
            Card::parse(&values, &stem).map_err(|source| LoadError::Card { path: sidecar, source })
        }
    }
}

/// A sidecar's keys and values, as metadata would hold them.
pub fn values(text: &str) -> Result<BTreeMap<String, String>, toml::de::Error> {
    let table: toml::Table = toml::from_str(text)?;
    Ok(table.into_iter().map(|(key, value)| (key, as_text(value))).collect())
}

/// A sidecar's value as the text that metadata would hold.
fn as_text(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Array(items) if items.iter().all(|it| it.is_float() || it.is_integer()) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        toml::Value::Table(_) | toml::Value::Array(_) => {
            serde_json::to_string(&value).expect("a TOML table has text keys")
        }
        other => other.to_string(),
    }
}
