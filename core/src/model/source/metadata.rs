//! Changes the metadata in an ONNX file without changing anything else.
//!
//! An ONNX file is one protobuf message, `ModelProto`. Its `metadata_props` are keys and values. The old entries are
//! removed and the new ones appended. All other bytes, such as the weights, are unchanged.

use super::onnx::model::METADATA_PROPS;
use super::onnx::string_string_entry::{KEY, VALUE};
use super::protobuf::{Field, NotOnnx, fields, put};
use crate::model::card::PREFIX;

/// Returns the file with all its `siamese.*` metadata replaced by `metadata`, whose keys include the prefix.
pub fn rewrite(onnx: &[u8], metadata: &[(String, String)]) -> Result<Vec<u8>, NotOnnx> {
    let mut written = Vec::with_capacity(onnx.len());
    for field in fields(onnx)? {
        let ours = matches!(field, Field { number: METADATA_PROPS, body: Some(entry), .. }
            if key(entry)?.starts_with(PREFIX.as_bytes()));
        if !ours {
            written.extend_from_slice(field.whole);
        }
    }
    for (key, value) in metadata {
        let mut entry = Vec::new();
        put(&mut entry, KEY, key.as_bytes());
        put(&mut entry, VALUE, value.as_bytes());
        put(&mut written, METADATA_PROPS, &entry);
    }
    Ok(written)
}

fn key(entry: &[u8]) -> Result<&[u8], NotOnnx> {
    let fields = fields(entry)?;
    Ok(fields
        .iter()
        .find(|field| field.number == KEY)
        .and_then(|field| field.body)
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Vec<u8> {
        let (mut entry, mut field) = (Vec::new(), Vec::new());
        put(&mut entry, KEY, key.as_bytes());
        put(&mut entry, VALUE, value.as_bytes());
        put(&mut field, METADATA_PROPS, &entry);
        field
    }

    #[test]
    fn only_our_own_entries_are_replaced() {
        let version = [0x08, 0x08];
        let mut graph = Vec::new();
        put(&mut graph, 7, &[0xff; 300]);
        let file =
            [&version[..], &entry("siamese.margin", "2"), &graph, &entry("author", "x")].concat();

        let written = rewrite(&file, &[("siamese.margin".into(), "3".into())]).expect("a message");

        let expected = [&version[..], &graph, &entry("author", "x"), &entry("siamese.margin", "3")];
        assert_eq!(written, expected.concat());
    }

    #[test]
    fn a_truncated_file_is_no_model() {
        let whole = entry("siamese.margin", "2");
        for length in 1..whole.len() {
            assert_eq!(rewrite(&whole[..length], &[]), Err(NotOnnx), "{length} bytes");
        }
        assert_eq!(rewrite(&[0xff; 32], &[]), Err(NotOnnx));
    }
}
