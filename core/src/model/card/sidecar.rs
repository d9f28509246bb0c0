//! A card in a file beside a tower.

use std::collections::BTreeMap;

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
