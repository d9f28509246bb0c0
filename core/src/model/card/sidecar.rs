//! A card in a sidecar file.

use std::collections::BTreeMap;

/// Reads a sidecar's keys and values in the form that metadata has.
pub fn values(text: &str) -> Result<BTreeMap<String, String>, toml::de::Error> {
    let table: toml::Table = toml::from_str(text)?;
    Ok(table.into_iter().map(|(key, value)| (key, as_text(value))).collect())
}

/// Converts a TOML value to the text that metadata would contain.
fn as_text(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Array(items)
            if items.iter().all(|item| item.is_float() || item.is_integer()) =>
        {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        toml::Value::Table(_) | toml::Value::Array(_) => {
            serde_json::to_string(&value).expect("a TOML table has text keys")
        }
        other => other.to_string(),
    }
}
