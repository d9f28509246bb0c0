//! The metadata inside an ONNX file, changed without touching anything else in it.
//!
//! An ONNX file is one protobuf message, `ModelProto`, whose field 14 (`metadata_props`) repeats
//! `StringStringEntryProto {1: key, 2: value}` (onnx/onnx.proto in the ONNX project). Fields of a
//! message may come in any order, so old entries are cut out and new ones appended; the weights stay
//! byte for byte what they were, whatever else the file holds.

use thiserror::Error;

use super::card::PREFIX;

const METADATA_PROPS: u64 = 14;
const LENGTH_DELIMITED: u64 = 2;

/// Bytes that are no protobuf message, so no ONNX file either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the file is no ONNX model: its protobuf breaks off or is malformed")]
pub struct NotOnnx;

/// Gives the file with all its `siamese.*` metadata replaced by `metadata`, whose keys carry the prefix.
pub fn rewrite(onnx: &[u8], metadata: &[(String, String)]) -> Result<Vec<u8>, NotOnnx> {
    let mut written = Vec::with_capacity(onnx.len());
    let mut rest = onnx;
    while !rest.is_empty() {
        let (field, after) = next_field(rest)?;
        let whole = &rest[..rest.len() - after.len()];
        let ours = matches!(field, Field { number: METADATA_PROPS, body: Some(entry) }
            if key(entry)?.starts_with(PREFIX.as_bytes()));
        if !ours {
            written.extend_from_slice(whole);
        }
        rest = after;
    }
    for (key, value) in metadata {
        let mut entry = Vec::new();
        put(&mut entry, 1, key.as_bytes());
        put(&mut entry, 2, value.as_bytes());
        put(&mut written, METADATA_PROPS, &entry);
    }
    Ok(written)
}

struct Field<'a> {
    number: u64,
    /// The bytes of a length-delimited field; other kinds are only stepped over.
    body: Option<&'a [u8]>,
}

fn next_field(bytes: &[u8]) -> Result<(Field<'_>, &[u8]), NotOnnx> {
    let (tag, rest) = varint(bytes)?;
    let number = tag >> 3;
    let (body, rest) = match tag & 7 {
        0 => (None, varint(rest)?.1),
        1 => (None, rest.get(8..).ok_or(NotOnnx)?),
        LENGTH_DELIMITED => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| NotOnnx)?;
            let (body, rest) = rest.split_at_checked(length).ok_or(NotOnnx)?;
            (Some(body), rest)
        }
        5 => (None, rest.get(4..).ok_or(NotOnnx)?),
        _ => return Err(NotOnnx),
    };
    Ok((Field { number, body }, rest))
}

fn key(mut entry: &[u8]) -> Result<&[u8], NotOnnx> {
    while !entry.is_empty() {
        let (field, rest) = next_field(entry)?;
        if let Field { number: 1, body: Some(key) } = field {
            return Ok(key);
        }
        entry = rest;
    }
    Ok(&[])
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), NotOnnx> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(NotOnnx)
}

fn put(out: &mut Vec<u8>, number: u64, body: &[u8]) {
    let length = u64::try_from(body.len()).expect("a length fits 64 bits");
    for mut value in [number << 3 | LENGTH_DELIMITED, length] {
        while 0x80 <= value {
            out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        out.push(value.to_le_bytes()[0]);
    }
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Vec<u8> {
        let (mut entry, mut field) = (Vec::new(), Vec::new());
        put(&mut entry, 1, key.as_bytes());
        put(&mut entry, 2, value.as_bytes());
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
    fn what_breaks_off_is_no_model() {
        let whole = entry("siamese.margin", "2");
        for length in 1..whole.len() {
            assert_eq!(rewrite(&whole[..length], &[]), Err(NotOnnx), "{length} bytes");
        }
        assert_eq!(rewrite(&[0xff; 32], &[]), Err(NotOnnx));
    }
}
