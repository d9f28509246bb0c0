//! Fuzzes the JSON of a request, a single source in it, and the bytes of a tensor.
//!
//! Accepted bytes must be JSON for other parsers too, and an image must equal its base64.

#![no_main]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use siamese::http::fuzzing::{Read, request, source, tensor};

type Object<'a> = BTreeMap<String, &'a RawValue>;

const CODES: [&str; 7] = [
    "base64_invalid",
    "batch_too_large",
    "body_malformed",
    "embedding_invalid",
    "part_missing",
    "part_repeated",
    "part_unexpected",
];

/// The base64 of a source in its usual form, if each space in it stands for `space`.
fn base64(text: &str, space: Option<char>) -> String {
    let text = text.trim_ascii().rsplit(',').next().unwrap_or_default();
    let symbol = |symbol: char| match symbol {
        '-' => Some('+'),
        '_' => Some('/'),
        ' ' => space,
        other => Some(other).filter(|other| !other.is_ascii_whitespace() && *other != '='),
    };
    text.chars().filter_map(symbol).collect()
}

fuzz_target!(|json: &[u8]| {
    for outcome in request(json) {
        match outcome {
            // If an item contains a number out of range, which `Value` refuses, only that item fails.
            Ok(()) => {
                drop(serde_json::from_slice::<Object>(json).expect("other parsers read an object"))
            }
            Err(code) => assert!(CODES.contains(&code), "{code}"),
        }
    }
    if let Err(code) = tensor(json) {
        assert!(CODES.contains(&code), "{code}");
    }
    match source(json) {
        Err(code) => assert!(CODES.contains(&code), "{code}"),
        Ok(read) => {
            let value: Value = serde_json::from_slice(json).expect("other parsers read JSON");
            match read {
                Read::Upload(bytes) => {
                    let text = value.as_str().or_else(|| value["image"].as_str()).expect("a text");
                    // A data URI may be percent-encoded.
                    if !text.contains('%') {
                        let found = STANDARD_NO_PAD.encode(bytes);
                        assert!([None, Some('+')].iter().any(|space| found == base64(text, *space)));
                    }
                }
                Read::Embedding(numbers) => {
                    assert!(!numbers.is_empty() && numbers.iter().all(|number| number.is_finite()));
                    let written = value["embedding"].as_array().expect("a list");
                    for (number, written) in numbers.iter().zip(written) {
                        assert_eq!(*number, written.as_f64().expect("a number") as f32);
                    }
                    assert_eq!(numbers.len(), written.len());
                }
            }
        }
    }
});
